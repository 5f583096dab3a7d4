{{/* What stands in config: its leaves, the files that it names, and what of it a running gateway cannot take. */}}

{{- define "deskgate.configFolder" -}}/etc/deskgate/config{{- end -}}
{{- define "deskgate.secretsFolder" -}}/etc/deskgate/secrets{{- end -}}
{{- define "deskgate.configFile" -}}{{ include "deskgate.configFolder" . }}/deskgate.yaml{{- end -}}
{{- define "deskgate.copiesFolder" -}}/etc/deskgate/copies{{- end -}}

{{/* What stands in the ConfigMap, by file. */}}
{{- define "deskgate.data" -}}
{{- $config := .Values.config -}}
{{- if get $config "publicUrl" }}{{ $config = set (deepCopy $config) "publicUrl" (include "deskgate.publicUrl" .) }}{{ end -}}
{{- set (deepCopy (default dict .Values.files)) "deskgate.yaml" (printf "%s\n" (toYaml $config)) | toJson -}}
{{- end -}}

{{/* The same as the data of a ConfigMap. */}}
{{- define "deskgate.dataOf" -}}
deskgate.yaml: |
  {{- get . "deskgate.yaml" | trimSuffix "\n" | nindent 2 }}
{{- range $name, $text := omit . "deskgate.yaml" }}
{{ $name | quote }}: {{ $text | quote }}
{{- end }}
{{- end -}}

{{- define "deskgate.contentHash" -}}{{ include "deskgate.data" . | sha256sum | trunc 10 }}{{- end -}}

{{/* Whether a running pod takes a changed ConfigMap, and has copies of it to fall back to. */}}
{{- define "deskgate.hasCopies" -}}
{{- if and (eq .Values.reload "inPlace") (not .Values.existingConfigMap) }}true{{ end -}}
{{- end -}}

{{/* The ConfigMap that the pods mount. */}}
{{- define "deskgate.configMapName" -}}
{{- if .Values.existingConfigMap -}}
{{- quote .Values.existingConfigMap -}}
{{- else if eq .Values.reload "roll" -}}
{{- include "deskgate.nameOf" (dict "root" . "suffix" (include "deskgate.contentHash" .)) -}}
{{- else -}}
{{- include "deskgate.nameOf" (dict "root" .) -}}
{{- end -}}
{{- end -}}

{{/*
The last three contents, the current one first, as { copies: [{ hash, data, revision }] }. The others come from the cluster,
where Helm speaks to one; of large ones there is one alone, because a release has to fit into a Secret.
*/}}
{{- define "deskgate.copies" -}}
{{- $data := include "deskgate.data" . -}}
{{- $hash := include "deskgate.contentHash" . -}}
{{- $copies := list (dict "hash" $hash "data" (fromJson $data) "revision" .Release.Revision) -}}
{{- $older := dict -}}
{{- if lt (len $data) 200000 -}}
{{- range (lookup "v1" "ConfigMap" (include "deskgate.namespace" .) "").items -}}
{{- $labels := default dict .metadata.labels -}}
{{- $content := get (default dict .metadata.annotations) "deskgate/content" -}}
{{- $isOurs := and (eq (get $labels "app.kubernetes.io/instance") $.Release.Name) (eq (get $labels "app.kubernetes.io/name") (include "deskgate.name" $)) -}}
{{- if and $isOurs $content (ne $content $hash) -}}
{{- $revision := get .metadata.annotations "deskgate/revision" | int -}}
{{- $_ := set $older (printf "%08d-%s" $revision $content) (dict "hash" $content "data" .data "revision" $revision) -}}
{{- end -}}
{{- end -}}
{{- range $at, $key := keys $older | sortAlpha | reverse -}}
{{- if lt $at 2 }}{{ $copies = append $copies (get $older $key) }}{{ end -}}
{{- end -}}
{{- end -}}
{{- dict "copies" $copies | toJson -}}
{{- end -}}

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
{{- $said := dict "sessions" $sessions "ops" $ops "header" (dig "limits" "header" "" $config) "tuning" (dig "runtime" "tuning" "" $config) "tracing" (dig "tracing" dict $config) "tls" (not (empty (get $config "tls"))) -}}
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

{{/* The data of the Secret that the chart makes. */}}
{{- define "deskgate.secretData" -}}
{{- range $file, $value := .Values.secrets.values }}
{{ $file | quote }}: {{ $value | b64enc | quote }}
{{- end }}
{{- end -}}

{{/* The files of Secrets that config names, as a JSON list. */}}
{{- define "deskgate.namedSecrets" -}}
{{- $folder := printf "%s/" (include "deskgate.secretsFolder" .) -}}
{{- $files := list -}}
{{- range splitList "\n" (include "deskgate.leaves" (dict "path" "" "value" .Values.config)) -}}
{{- with trim . -}}
{{- $value := toString (fromJson .).value -}}
{{- if hasPrefix $folder $value }}{{ $files = append $files $value }}{{ end -}}
{{- end -}}
{{- end -}}
{{- uniq $files | toJson -}}
{{- end -}}
