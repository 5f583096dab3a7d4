{{/* What stands in config: its leaves, the files that it names, and what of it a running gateway cannot take. */}}

{{- define "deskgate.configFolder" -}}/etc/deskgate/config{{- end -}}
{{- define "deskgate.secretsFolder" -}}/etc/deskgate/secrets{{- end -}}
{{- define "deskgate.configFile" -}}{{ include "deskgate.configFolder" . }}/deskgate.yaml{{- end -}}

{{/* One line of JSON for each scalar below value: { path: providers[0].secrets[0].file, value }. */}}
{{- define "deskgate.leaves" -}}
{{- $path := .path -}}
{{- if kindIs "map" .value -}}
{{- range $key, $value := .value -}}
{{- include "deskgate.leaves" (dict "path" (ternary $key (printf "%s.%s" $path $key) (eq $path "")) "value" $value) -}}
{{- end -}}
{{- else if kindIs "slice" .value -}}
{{- range $index, $value := .value -}}
{{- include "deskgate.leaves" (dict "path" (printf "%s[%d]" $path $index) "value" $value) -}}
{{- end -}}
{{- else -}}
{{ dict "path" $path "value" .value | toJson }}
{{ end -}}
{{- end -}}

{{/* A path without positions and without the names of headers, as kinds.json has it. */}}
{{- define "deskgate.anywhere" -}}
{{- regexReplaceAll "(\\.headers)\\.[^.]+$" (regexReplaceAll "\\[[0-9]+\\]" . "[]") "${1}.*" -}}
{{- end -}}

{{/* The text of a file that config names, where these values hold it. { root, path } */}}
{{- define "deskgate.contentOf" -}}
{{- $folder := printf "%s/" (include "deskgate.secretsFolder" .root) -}}
{{- if hasPrefix $folder .path -}}
{{- get .root.Values.secrets.values (trimPrefix $folder .path) -}}
{{- else -}}
{{- get (default dict .root.Values.files) (trimPrefix (printf "%s/" (include "deskgate.configFolder" .root)) .path) -}}
{{- end -}}
{{- end -}}

{{/* Settings for which a running gateway must be started anew; all others it takes from its changed files by itself. */}}
{{- define "deskgate.restart" -}}
{{- $config := .Values.config -}}
{{- $sessions := pick (dig "sessions" dict $config) "store" "idle" "lifetime" "perAgent" "nearCache" "outageGrace" -}}
{{- $ops := pick (dig "ops" dict $config) "listen" "probes" -}}
{{- $said := dict "sessions" $sessions "ops" $ops "header" (dig "limits" "header" "" $config) "tuning" (dig "runtime" "tuning" "" $config) "tls" (not (empty (get $config "tls"))) -}}
{{- $said = merge $said (pick $config "listen" "prefix" "workers" "drain") -}}
{{- $texts := list -}}
{{- range splitList "\n" (include "deskgate.leaves" (dict "path" "" "value" (dig "sessions" "store" dict $config))) -}}
{{- with trim . }}
{{- $texts = append $texts (include "deskgate.contentOf" (dict "root" $ "path" (toString (fromJson .).value))) -}}
{{- end -}}
{{- end -}}
{{- dict "said" $said "texts" $texts | toJson | sha256sum -}}
{{- end -}}

{{/* The Secrets of the pod: { name, keys }, the chart's own among them, as JSON. */}}
{{- define "deskgate.secretSources" -}}
{{- $sources := list -}}
{{- with .Values.secrets.existingSecret -}}
{{- $sources = append $sources (dict "name" . "keys" $.Values.secrets.keys) -}}
{{- end -}}
{{- range .Values.secrets.additional -}}
{{- $sources = append $sources (dict "name" .existingSecret "keys" (default dict .keys)) -}}
{{- end -}}
{{- if .Values.secrets.values -}}
{{- $keys := dict -}}
{{- range $file, $_ := .Values.secrets.values }}{{- $_ := set $keys $file $file -}}{{- end -}}
{{- $sources = append $sources (dict "name" (printf "%s-values" (include "deskgate.fullname" .)) "keys" $keys) -}}
{{- end -}}
{{- dict "sources" $sources | toJson -}}
{{- end -}}
