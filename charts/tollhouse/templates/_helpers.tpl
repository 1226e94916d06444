{{- define "tollhouse.name" -}}
{{- /* One operator serves a cluster, so its names do not carry the release's. */ -}}
tollhouse-operator
{{- end }}

{{- define "tollhouse.labels" -}}
app.kubernetes.io/name: tollhouse-operator
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/part-of: tollhouse
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end }}

{{- define "tollhouse.selector" -}}
app.kubernetes.io/name: tollhouse-operator
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "tollhouse.user" -}}
system:serviceaccount:{{ .Release.Namespace }}:{{ include "tollhouse.name" . }}
{{- end }}

{{- define "tollhouse.image" -}}
{{- $image := index . 0 -}}{{- $root := index . 1 -}}
{{ $image.repository }}:{{ $image.tag | default $root.Chart.AppVersion }}
{{- end }}

{{- /* policies | webhook */ -}}
{{- define "tollhouse.votes" -}}
{{- if ne .Values.admission.votes "auto" -}}
{{ .Values.admission.votes }}
{{- else if .Capabilities.APIVersions.Has "admissionregistration.k8s.io/v1/MutatingAdmissionPolicy" -}}
policies
{{- else -}}
webhook
{{- end -}}
{{- end }}

{{- define "tollhouse.clientConfig" -}}
{{- $root := index . 0 -}}{{- $path := index . 1 -}}
{{- if $root.Values.admission.url -}}
url: {{ printf "%s%s" (trimSuffix "/" $root.Values.admission.url) $path }}
{{- else -}}
service:
  name: {{ include "tollhouse.name" $root }}
  namespace: {{ $root.Release.Namespace }}
  path: {{ $path }}
  port: 443
{{- end -}}
{{- end }}

{{- define "tollhouse.namespaceSelector" -}}
{{- if .Values.watchNamespaces -}}
namespaceSelector:
  matchExpressions:
  - key: kubernetes.io/metadata.name
    operator: In
    values: {{ toJson .Values.watchNamespaces }}
{{- end -}}
{{- end }}
