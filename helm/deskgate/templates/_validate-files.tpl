{{/* Secrets and files: every one that config names is there, and no secret stands where everybody can read it. */}}

{{/* The names of variables that extraEnv sets, and those that it sets to a text, as JSON. */}}
{{- define "deskgate.variables" -}}
{{- $names := list -}}
{{- $texts := list -}}
{{- range .Values.extraEnv -}}
{{- $names = append $names .name -}}
{{- if get . "value" }}{{- $texts = append $texts .name -}}{{- end -}}
{{- end -}}
{{- dict "names" $names "texts" $texts | toJson -}}
{{- end -}}

{{/* The files below secrets as far as these values tell; open: a Secret brings others too. */}}
{{- define "deskgate.knownSecrets" -}}
{{- $names := list -}}
{{- $open := false -}}
{{- range (fromJson (include "deskgate.secretSources" .)).sources -}}
{{- if .keys }}{{- $names = concat $names (keys .keys) -}}{{- else }}{{- $open = true -}}{{- end -}}
{{- end -}}
{{- dict "names" $names "open" $open | toJson -}}
{{- end -}}

{{- define "deskgate.problems.secrets" -}}
{{- $kinds := .Files.Get "kinds.json" | fromJson -}}
{{- $variables := fromJson (include "deskgate.variables" .) -}}
{{- $known := fromJson (include "deskgate.knownSecrets" .) -}}
{{- if and (not .Values.existingConfigMap) (ne (include "deskgate.store" .) "memory") (empty (get .Values.config "secrets")) }}
config.secrets is empty: all pods need the same secrets; add [{ file: /etc/deskgate/secrets/ring }] and the Secret that holds it
{{- end }}
{{- if and (or .Values.secrets.keys) (not .Values.secrets.existingSecret) }}
secrets.keys names keys of secrets.existingSecret, which is not set: name the Secret
{{- end }}
{{- if lt (len (uniq $known.names)) (len $known.names) }}
secrets: two sources have a file of the same name ({{ sortAlpha $known.names | join ", " }}): give them different names by keys
{{- end }}
{{- range splitList "\n" (include "deskgate.leaves" (dict "path" "" "value" .Values.config)) -}}
{{- with trim . -}}
{{- $leaf := fromJson . -}}
{{- $place := include "deskgate.anywhere" $leaf.path -}}
{{- $isText := kindIs "string" $leaf.value -}}
{{- if and $isText (has $place $kinds.secrets) (include "deskgate.tellsSecret" $leaf) }}
config.{{ $leaf.path }} holds a secret itself, and must not be in a ConfigMap: put it into a Secret, and set { file: /etc/deskgate/secrets/NAME }
{{- else if and $isText (hasSuffix ".env" $leaf.path) (has (trimSuffix ".env" $place) $kinds.secrets) (not $.Values.envFrom) (not (has $leaf.value $variables.names)) }}
config.{{ $leaf.path }} is {{ $leaf.value }}, a variable that extraEnv does not set: use { file: /etc/deskgate/secrets/NAME }, which is read again when it changes
{{- else if and $isText (hasSuffix ".env" $leaf.path) (has (trimSuffix ".env" $place) $kinds.secrets) (has $leaf.value $variables.texts) }}
extraEnv sets {{ $leaf.value }}, the secret of config.{{ $leaf.path }}, as a plain string, and must not be in a Deployment: put it into a Secret, and set { file: /etc/deskgate/secrets/NAME }
{{- else if and $isText (hasSuffix ".file" $leaf.path) (has (trimSuffix ".file" $place) $kinds.secrets) }}
{{- include "deskgate.problemOfSecretFile" (dict "root" $ "leaf" $leaf "known" $known) }}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* Whether a text at the place of a secret is one: memory, a Redis URL without a password and most headers are not. */}}
{{- define "deskgate.tellsSecret" -}}
{{- if hasPrefix "sessions.store" .path -}}
{{- $isUrl := or (eq .path "sessions.store") (eq .path "sessions.store.url") -}}
{{- if or (not $isUrl) (contains "@" .value) }}true{{ end -}}
{{- else if regexMatch "\\.headers\\." .path -}}
{{- if regexMatch "(?i)authorization|cookie|token|secret|key|password" (regexFind "[^.]+$" .path) }}true{{ end -}}
{{- else }}true{{ end -}}
{{- end -}}

{{- define "deskgate.problemOfSecretFile" -}}
{{- $folder := printf "%s/" (include "deskgate.secretsFolder" .root) -}}
{{- $file := .leaf.value -}}
{{- if hasPrefix $folder $file -}}
{{- $name := trimPrefix $folder $file -}}
{{- if not (or .known.open (has $name .known.names)) }}
config.{{ .leaf.path }} is {{ $file }}, but no Secret provides {{ $name }}: name one as secrets.existingSecret
{{- end -}}
{{- else if hasKey (default dict .root.Values.files) (trimPrefix (printf "%s/" (include "deskgate.configFolder" .root)) $file) }}
files.{{ $file }} is the secret of config.{{ .leaf.path }}, and must not be in a ConfigMap: put it into a Secret, and set { file: {{ $folder }}NAME }
{{- else if not (include "deskgate.isMounted" (dict "root" .root "path" $file)) }}
config.{{ .leaf.path }} is {{ $file }}, which no volume provides: secrets are in {{ $folder }}
{{- end -}}
{{- end -}}

{{/* Whether a path is below a mount that the values add. { root, path } */}}
{{- define "deskgate.isMounted" -}}
{{- $path := .path -}}
{{- range .root.Values.extraVolumeMounts -}}
{{- if or (eq $path .mountPath) (hasPrefix (printf "%s/" (trimSuffix "/" .mountPath)) $path) }}true{{ end -}}
{{- end -}}
{{- end -}}

{{- define "deskgate.problems.files" -}}
{{- $kinds := .Files.Get "kinds.json" | fromJson -}}
{{- $known := fromJson (include "deskgate.knownSecrets" .) -}}
{{- $secrets := printf "%s/" (include "deskgate.secretsFolder" .) -}}
{{- range $name, $text := .Values.files -}}
{{- if eq $name "deskgate.yaml" }}
files.deskgate.yaml would replace config: write it under config, or give it another name
{{- end }}
{{- if contains "PRIVATE KEY-----" $text }}
files.{{ $name }} contains a private key, and must not be in a ConfigMap: put it into a Secret, and name /etc/deskgate/secrets/NAME in config
{{- end }}
{{- end }}
{{- range splitList "\n" (include "deskgate.leaves" (dict "path" "" "value" .Values.config)) -}}
{{- with trim . -}}
{{- $leaf := fromJson . -}}
{{- $text := toString $leaf.value -}}
{{- if and $leaf.value (not $.Values.existingConfigMap) (has (include "deskgate.anywhere" $leaf.path) $kinds.files) (not (regexMatch "^[A-Za-z]+://" $text)) -}}
{{- $inConfig := hasKey (default dict $.Values.files) (trimPrefix (printf "%s/" (include "deskgate.configFolder" $)) $text) -}}
{{- $inSecret := and (hasPrefix $secrets $text) (or $known.open (has (trimPrefix $secrets $text) $known.names)) -}}
{{- if not (or $inConfig $inSecret (include "deskgate.isMounted" (dict "root" $ "path" $text))) }}
config.{{ $leaf.path }} is {{ $text }}, which does not exist: put it under files, or into a Secret when it is a private key, or mount it by extraVolumes
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- $size := len (toYaml .Values.config) -}}
{{- range $name, $text := .Values.files }}{{- $size = add $size (len $name) (len $text) -}}{{- end -}}
{{- if gt (int64 $size) 1048576 }}
config and files together have {{ $size }} bytes, more than a ConfigMap can hold: mount large files by extraVolumes; for many agents read Desk's API (config.agents[].http)
{{- end }}
{{- $places := dig "audit" "to" "stdout" .Values.config -}}
{{- range ternary $places (list $places) (kindIs "slice" $places) -}}
{{- if not (or (eq . "stdout") (include "deskgate.isMounted" (dict "root" $ "path" .))) }}
config.audit.to is {{ . }}, and the root file system is read-only: use stdout, or mount a volume there by extraVolumes
{{- end -}}
{{- end -}}
{{- end -}}
