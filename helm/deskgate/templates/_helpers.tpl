{{/* Names, labels, addresses and times that several templates need. */}}

{{- define "deskgate.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 52 | trimSuffix "-" -}}
{{- end -}}

{{/* 52 characters leave room for the longest suffix. */}}
{{- define "deskgate.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 52 | trimSuffix "-" -}}
{{- else -}}
{{- $name := include "deskgate.name" . -}}
{{- ternary .Release.Name (printf "%s-%s" .Release.Name $name) (contains $name .Release.Name) | trunc 52 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "deskgate.serviceAccount" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "deskgate.fullname" .) .Values.serviceAccount.name -}}
{{- else -}}
{{- default "default" .Values.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{/* What never changes in a release: a Deployment's selector cannot. */}}
{{- define "deskgate.selector" -}}
app.kubernetes.io/name: {{ include "deskgate.name" . | quote }}
app.kubernetes.io/instance: {{ .Release.Name | quote }}
app.kubernetes.io/component: gateway
{{- end -}}

{{/* The name of an object, in quotes: a release may be called 2026. { root, suffix? } */}}
{{- define "deskgate.nameOf" -}}
{{- $name := include "deskgate.fullname" .root -}}
{{- with .suffix }}{{ $name = printf "%s-%s" $name . }}{{ end -}}
{{- quote $name -}}
{{- end -}}

{{- define "deskgate.namespace" -}}{{ default .Release.Namespace .Values.namespaceOverride }}{{- end -}}

{{/* A text of the values, with its templates filled in. { root, text } */}}
{{- define "deskgate.filled" -}}
{{- $text := toString .text -}}
{{- if contains "{{" $text }}{{ tpl $text .root }}{{ else }}{{ $text }}{{ end -}}
{{- end -}}

{{- define "deskgate.publicUrl" -}}
{{- include "deskgate.filled" (dict "root" . "text" (default "" (get .Values.config "publicUrl"))) -}}
{{- end -}}

{{/* The metadata of an object. { root, of?: its section of the values, suffix?, component?, labels?, annotations?, namespace? } */}}
{{- define "deskgate.metadata" -}}
{{- $root := .root -}}
{{- $of := default dict .of -}}
name: {{ include "deskgate.nameOf" . }}
namespace: {{ default (include "deskgate.namespace" $root) .namespace | quote }}
{{- $own := dict
  "helm.sh/chart" (printf "%s-%s" $root.Chart.Name $root.Chart.Version | replace "+" "_")
  "app.kubernetes.io/name" (include "deskgate.name" $root)
  "app.kubernetes.io/instance" $root.Release.Name
  "app.kubernetes.io/version" $root.Chart.AppVersion
  "app.kubernetes.io/managed-by" $root.Release.Service
  "app.kubernetes.io/component" (default "gateway" .component) }}
labels:
  {{- $labels := mergeOverwrite (dict) (default dict $root.Values.commonLabels) (default dict (get $of "labels")) (default dict .labels) $own }}
  {{- include "deskgate.filled" (dict "root" $root "text" (toYaml $labels)) | nindent 2 }}
{{- with mergeOverwrite (dict) (default dict $root.Values.commonAnnotations) (default dict (get $of "annotations")) (default dict .annotations) }}
annotations:
  {{- include "deskgate.filled" (dict "root" $root "text" (toYaml .)) | nindent 2 }}
{{- end }}
{{- end -}}

{{/* Local wins over global, a digest over a tag. */}}
{{- define "deskgate.image" -}}
{{- $image := .Values.image -}}
{{- with default .Values.global.imageRegistry $image.registry }}{{ . }}/{{ end -}}
{{- $image.repository -}}
{{- if $image.digest }}@{{ $image.digest }}{{ else }}:{{ default .Chart.AppVersion $image.tag }}{{ end -}}
{{- end -}}

{{/* As names, or as Kubernetes has them: a parent chart speaks to others too. */}}
{{- define "deskgate.pullSecrets" -}}
{{- $names := list -}}
{{- range concat .Values.image.pullSecrets .Values.global.imagePullSecrets -}}
{{- $names = append $names (kindIs "map" . | ternary (get (ternary . dict (kindIs "map" .)) "name") .) -}}
{{- end -}}
{{- with uniq $names }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . | quote }}
  {{- end }}
{{- end }}
{{- end -}}

{{/* The port of host:port; empty for anything else. */}}
{{- define "deskgate.port" -}}
{{- regexFind "[0-9]+$" (regexFind ":[0-9]+$" (toString .)) -}}
{{- end -}}

{{- define "deskgate.listenPort" -}}{{ include "deskgate.port" (dig "listen" "0.0.0.0:8080" .Values.config) }}{{- end -}}
{{- define "deskgate.probesPort" -}}{{ include "deskgate.port" (dig "ops" "probes" "" .Values.config) }}{{- end -}}

{{/* host[:port] of a URL, and the host alone. */}}
{{- define "deskgate.authority" -}}{{ (urlParse (toString .)).host }}{{- end -}}
{{- define "deskgate.host" -}}{{ regexReplaceAll ":[0-9]+$" (include "deskgate.authority" .) "" | lower }}{{- end -}}

{{/* Whole seconds of a duration such as 500ms or 5m, rounded up. */}}
{{- define "deskgate.seconds" -}}
{{- $text := toString . -}}
{{- $number := regexFind "^[0-9]+" $text | default "0" | int64 -}}
{{- $unit := regexFind "[a-z]+$" $text -}}
{{- if eq $unit "ms" -}}
{{- divf $number 1000 | ceil | int64 -}}
{{- else -}}
{{- mul $number (get (dict "s" 1 "m" 60 "h" 3600 "d" 86400) $unit | default 1) -}}
{{- end -}}
{{- end -}}

{{- define "deskgate.drain" -}}{{ include "deskgate.seconds" (dig "drain" "30s" .Values.config) }}{{- end -}}

{{- define "deskgate.grace" -}}
{{- if kindIs "invalid" .Values.terminationGracePeriodSeconds -}}
{{- add (int64 (include "deskgate.drain" .)) (int64 .Values.preStop) 10 -}}
{{- else -}}
{{- int64 .Values.terminationGracePeriodSeconds -}}
{{- end -}}
{{- end -}}

{{/* memory, a URL, or "secret" where the URL is one. */}}
{{- define "deskgate.store" -}}
{{- $store := dig "sessions" "store" "memory" .Values.config -}}
{{- if and (kindIs "map" $store) (hasKey $store "url") }}{{- $store = $store.url -}}{{- end -}}
{{- /* What an existing ConfigMap says is not known here. */}}
{{- if and .Values.existingConfigMap (not (dig "sessions" "store" "" .Values.config)) }}secret
{{- else if kindIs "string" $store }}{{ $store }}{{ else }}secret{{ end -}}
{{- end -}}

{{/* The most pods. */}}
{{- define "deskgate.most" -}}
{{- if .Values.autoscaling.enabled }}{{ int64 .Values.autoscaling.maxReplicas }}{{ else }}{{ int64 .Values.replicas }}{{ end -}}
{{- end -}}

{{/*
How many pods the Deployment asks for. With an autoscaler the number that runs, as far as Helm sees it: where `replicas` is
taken out of an object, Kubernetes keeps one pod until the autoscaler acts. Without a cluster nothing, so that a GitOps tool
does not set back what the autoscaler has set.
*/}}
{{- define "deskgate.replicas" -}}
{{- if not .Values.autoscaling.enabled -}}
{{- int64 .Values.replicas -}}
{{- else -}}
{{- with lookup "apps/v1" "Deployment" (include "deskgate.namespace" .) (include "deskgate.fullname" .) -}}
{{- $now := dig "spec" "replicas" 1 . | int64 -}}
{{- $auto := $.Values.autoscaling -}}
{{- if eq $now 0 }}0{{ else }}{{ max (int64 $auto.minReplicas) (min (int64 $auto.maxReplicas) $now) }}{{ end -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* A load balancer that passes on to any node gives every client a node's address, unless it is told not to. */}}
{{- define "deskgate.trafficPolicy" -}}
{{- default (ternary "Local" "" (eq .Values.service.type "LoadBalancer")) .Values.service.externalTrafficPolicy -}}
{{- end -}}

{{/* Where Prometheus finds what this release says: the labels that it gives each scraped metric. */}}
{{- define "deskgate.scope" -}}
namespace="{{ include "deskgate.namespace" . }}",job="{{ default (printf "%s-probes" (include "deskgate.fullname" .)) .Values.prometheusRule.job }}"
{{- end -}}
