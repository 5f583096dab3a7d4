{{/* What the gateway's container, the check and the test pod share. */}}

{{- define "deskgate.mounts" -}}
- name: config
  mountPath: {{ include "deskgate.configFolder" . }}
  readOnly: true
{{- if include "deskgate.hasCopies" . }}
{{- range until 3 }}
- name: copy-{{ add1 . }}
  mountPath: {{ include "deskgate.copiesFolder" $ }}/{{ add1 . }}
  readOnly: true
{{- end }}
{{- end }}
{{- with include "deskgate.furtherMounts" . | trim }}
{{ . }}
{{- end }}
{{- end -}}

{{/* Without those of the configuration. */}}
{{- define "deskgate.furtherMounts" -}}
{{- if (fromJson (include "deskgate.secretSources" .)).sources }}
- name: secrets
  mountPath: {{ include "deskgate.secretsFolder" . }}
  readOnly: true
{{- end }}
{{- with .Values.extraVolumeMounts }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* Whole folders, never a subPath: only then the kubelet swaps what has changed, and the gateway takes it. */}}
{{- define "deskgate.volumes" -}}
- name: config
  configMap:
    name: {{ include "deskgate.configMapName" . }}
    defaultMode: 292 # 0444
{{- if include "deskgate.hasCopies" . }}
{{- range until 3 }}
- name: copy-{{ add1 . }}
  configMap:
    name: {{ include "deskgate.nameOf" (dict "root" $ "suffix" (printf "copy-%d" (add1 .))) }}
    defaultMode: 292 # 0444
    optional: true
{{- end }}
{{- end }}
{{- with include "deskgate.furtherVolumes" (dict "root" .) | trim }}
{{ . }}
{{- end }}
{{- end -}}

{{/* Those of Secrets and of the values. { root, optional?: a Secret may be missing, sources? } */}}
{{- define "deskgate.furtherVolumes" -}}
{{- $optional := .optional -}}
{{- with default (fromJson (include "deskgate.secretSources" .root)).sources .sources }}
- name: secrets
  projected:
    defaultMode: 288 # 0440
    sources:
      {{- range . }}
      - secret:
          name: {{ .name | quote }}
          {{- if $optional }}
          optional: true
          {{- end }}
          {{- with .keys }}
          items:
            {{- range $file, $key := . }}
            - key: {{ $key | quote }}
              path: {{ $file | quote }}
            {{- end }}
          {{- end }}
      {{- end }}
{{- end }}
{{- with .root.Values.extraVolumes }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* The configuration, for check and serve, and what an invalid one falls back to. */}}
{{- define "deskgate.configArgs" -}}
- --config
- {{ include "deskgate.configFile" . }}
{{- if include "deskgate.hasCopies" . }}
- --fallback
{{- range until 3 }}
- {{ include "deskgate.copiesFolder" $ }}/{{ add1 . }}/deskgate.yaml
{{- end }}
{{- end }}
{{- end -}}

{{/* Variables, as the values give them. */}}
{{- define "deskgate.environment" -}}
{{- with .Values.envFrom }}
envFrom:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.extraEnv }}
env:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{/* What every pod of the chart has: the registry's secrets, security, nodes, names that it resolves, and the runtime. */}}
{{- define "deskgate.podCommon" -}}
{{- with include "deskgate.pullSecrets" . | trim }}
{{ . }}
{{- end }}
{{- with .Values.podSecurityContext }}
securityContext:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.priorityClassName }}
priorityClassName: {{ . | quote }}
{{- end }}
{{- with .Values.runtimeClassName }}
runtimeClassName: {{ . | quote }}
{{- end }}
{{- with .Values.hostAliases }}
hostAliases:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.dnsPolicy }}
dnsPolicy: {{ . }}
{{- end }}
{{- with .Values.dnsConfig }}
dnsConfig:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{/* A probe with the fields of the values over the chart's. { path, port, own, fields } */}}
{{- define "deskgate.probe" -}}
httpGet:
  path: {{ .path }}
  port: probes
{{ toYaml (mergeOverwrite (dict) .own (default dict .fields)) }}
{{- end -}}

{{/* What a container may do and use. Its last words are told by `kubectl describe pod` when it fails. */}}
{{- define "deskgate.confined" -}}
terminationMessagePolicy: FallbackToLogsOnError
{{- with .Values.securityContext }}
securityContext:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.resources }}
resources:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{- define "deskgate.spread" -}}
{{- range tuple "kubernetes.io/hostname" "topology.kubernetes.io/zone" }}
- maxSkew: 1
  topologyKey: {{ . }}
  whenUnsatisfiable: ScheduleAnyway
  # The new pods of a roll-out among themselves.
  matchLabelKeys: [pod-template-hash]
  labelSelector:
    matchLabels:
      {{- include "deskgate.selector" $ | nindent 6 }}
{{- end }}
{{- end -}}
