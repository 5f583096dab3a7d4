{{/* To which ports the gateway goes, from what config says: for its NetworkPolicy. Each is a JSON list. */}}

{{/* The port of a URL, by its scheme where it names none. */}}
{{- define "deskgate.portOfUrl" -}}
{{- $url := urlParse (toString .) -}}
{{- include "deskgate.port" $url.host | default (ternary "80" "443" (eq $url.scheme "http")) -}}
{{- end -}}

{{/* The store's servers; where its URL is a secret the usual port. Sentinels name servers of the usual port. */}}
{{- define "deskgate.redisPorts" -}}
{{- $store := include "deskgate.store" . -}}
{{- $found := list -}}
{{- range regexFindAll ":[0-9]+([,/?]|$)" (regexReplaceAll "^[a-z+]+://" $store "") -1 -}}
{{- $found = append $found (regexFind "[0-9]+" .) -}}
{{- end -}}
{{- if contains "+sentinel:" $store }}{{ $found = concat (default (list "26379") $found) (list "6379") }}{{ end -}}
{{- default (default (list "6379") $found) .Values.networkPolicy.redis.ports | toJson -}}
{{- end -}}

{{/* Desk, also as a directory of agents. */}}
{{- define "deskgate.deskPorts" -}}
{{- $desk := dig "desk" "url" "" .Values.config -}}
{{- $found := list (include "deskgate.portOfUrl" $desk) -}}
{{- range (include "deskgate.directories" . | fromJson).urls -}}
{{- if eq (include "deskgate.host" .) (include "deskgate.host" $desk) }}{{ $found = append $found (include "deskgate.portOfUrl" .) }}{{ end -}}
{{- end -}}
{{- default (uniq $found) .Values.networkPolicy.desk.ports | toJson -}}
{{- end -}}

{{/* Metadata and keys of the providers, directories elsewhere, and the proxy to them. */}}
{{- define "deskgate.idpPorts" -}}
{{- $desk := include "deskgate.host" (dig "desk" "url" "" .Values.config) -}}
{{- $urls := list -}}
{{- range get .Values.config "providers" }}{{ $urls = append (append $urls (get . "metadata")) (get . "jwks") }}{{ end -}}
{{- range (include "deskgate.directories" . | fromJson).urls -}}
{{- if ne (include "deskgate.host" .) $desk }}{{ $urls = append $urls . }}{{ end -}}
{{- end -}}
{{- range .Values.extraEnv -}}
{{- if has (upper .name) (list "HTTPS_PROXY" "HTTP_PROXY") }}{{ $urls = append $urls .value }}{{ end -}}
{{- end -}}
{{- $found := list -}}
{{- range $urls -}}
{{- if and (kindIs "string" .) (regexMatch "^https?://" .) }}{{ $found = append $found (include "deskgate.portOfUrl" .) }}{{ end -}}
{{- end -}}
{{- default (uniq $found) .Values.networkPolicy.idp.ports | toJson -}}
{{- end -}}

{{/* The URLs of directories, without their {email}, which is no URL yet: { urls }. */}}
{{- define "deskgate.directories" -}}
{{- $urls := list -}}
{{- range get .Values.config "agents" -}}
{{- with dig "http" "url" "" . }}{{ $urls = append $urls (regexFind "^https?://[^/?#]+" .) }}{{ end -}}
{{- end -}}
{{- dict "urls" $urls | toJson -}}
{{- end -}}

{{/* The rules for all three; whom the gateway need not reach has none. */}}
{{- define "deskgate.egress" -}}
{{- range tuple "redis" "desk" "idp" -}}
{{- $ports := include (printf "deskgate.%sPorts" .) $ | fromJsonArray -}}
{{- if and $ports (or (ne . "redis") (ne (include "deskgate.store" $) "memory")) }}
- {{ with (get $.Values.networkPolicy .).to -}}
  to:
    {{- toYaml . | nindent 4 }}
  {{ end -}}
  ports:
    {{- range $ports }}
    - port: {{ int64 . }}
      protocol: TCP
    {{- end }}
{{- end }}
{{- end -}}
{{- end -}}
