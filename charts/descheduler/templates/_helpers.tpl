{{- define "descheduler.selector" -}}
app.kubernetes.io/name: descheduler
{{- end }}

{{- define "descheduler.labels" -}}
{{ include "descheduler.selector" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name (.Chart.Version | replace "+" "_") }}
{{- end }}

{{- define "descheduler.image" -}}
{{- with .Values.image -}}
{{ .repository }}{{ if .digest }}@{{ .digest }}{{ else }}:{{ .tag | default $.Chart.AppVersion }}{{ end }}
{{- end }}
{{- end }}

{{- /* The namespace of Prometheus: as it is named, or that of a Service in policy.history.url; empty: outside the cluster. */}}
{{- define "descheduler.prometheusNamespace" -}}
{{- $host := (urlParse (dig "history" "url" "" .Values.policy)).host | splitList ":" | first -}}
{{- $parts := splitList "." $host -}}
{{- if .Values.networkPolicy.prometheus.namespace -}}
{{ .Values.networkPolicy.prometheus.namespace }}
{{- else if or (eq (len $parts) 2) (and (ge (len $parts) 3) (eq (index $parts 2) "svc")) -}}
{{ index $parts 1 }}
{{- else if and (eq (len $parts) 1) $host -}}
{{ .Release.Namespace }}
{{- end -}}
{{- end }}

{{- define "descheduler.prometheusPort" -}}
{{- $url := urlParse (dig "history" "url" "" .Values.policy) -}}
{{- $port := regexFind ":[0-9]+$" $url.host | trimPrefix ":" -}}
{{- if .Values.networkPolicy.prometheus.port -}}
{{ .Values.networkPolicy.prometheus.port }}
{{- else -}}
{{ $port | default (ternary "443" "80" (eq $url.scheme "https")) }}
{{- end -}}
{{- end }}

{{- define "descheduler.podSecurity" -}}
securityContext:
  runAsNonRoot: true
  runAsUser: 65532
  runAsGroup: 65532
  fsGroup: 65532
  seccompProfile:
    type: RuntimeDefault
{{- end }}

{{- define "descheduler.containerSecurity" -}}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities:
    drop: [ALL]
{{- end }}

{{- define "descheduler.where" -}}
{{- range $field := list "nodeSelector" "tolerations" "affinity" "topologySpreadConstraints" }}
{{- with index $.Values $field }}
{{ $field }}:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}
{{- end }}

{{- define "descheduler.cleanUpMeta" -}}
name: descheduler-clean-up
labels:
  app.kubernetes.io/name: descheduler-clean-up
  app.kubernetes.io/instance: {{ .Release.Name }}
annotations:
  helm.sh/hook: pre-delete
  helm.sh/hook-delete-policy: before-hook-creation,hook-succeeded
{{- end }}
