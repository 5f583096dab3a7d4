{{/* What the gateway's container, the check and the test pod share. */}}

{{- define "deskgate.mounts" -}}
- name: config
  mountPath: {{ include "deskgate.configFolder" . }}
  readOnly: true
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
    name: {{ include "deskgate.nameOf" (dict "root" .) }}
    defaultMode: 292 # 0444
{{- with (fromJson (include "deskgate.secretSources" .)).sources }}
- name: secrets
  projected:
    defaultMode: 288 # 0440
    sources:
      {{- range . }}
      - secret:
          name: {{ .name | quote }}
          {{- with .keys }}
          items:
            {{- range $file, $key := . }}
            - key: {{ $key | quote }}
              path: {{ $file | quote }}
            {{- end }}
          {{- end }}
      {{- end }}
{{- end }}
{{- with .Values.extraVolumes }}
{{ toYaml . }}
{{- end }}
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

{{/* Which nodes pods may use. */}}
{{- define "deskgate.nodes" -}}
{{- with .Values.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.tolerations }}
tolerations:
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
