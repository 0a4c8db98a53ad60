{{- define "shop-r1.name" -}}
{{- .Values.nameOverride | default .Chart.Name | trunc 32 | trimSuffix "-" -}}
{{- end -}}

{{- define "shop-r1.fullname" -}}
{{- $name := include "shop-r1.name" . -}}
{{- $full := ternary .Release.Name (printf "%s-%s" .Release.Name $name) (contains $name .Release.Name) -}}
{{- .Values.fullnameOverride | default $full | trunc 32 | trimSuffix "-" -}}
{{- end -}}

{{- define "shop-r1.selector" -}}
app.kubernetes.io/name: {{ include "shop-r1.name" . | quote }}
app.kubernetes.io/instance: {{ .Release.Name | quote }}
{{- end -}}

{{- define "shop-r1.labels" -}}
{{ include "shop-r1.selector" . }}
app.kubernetes.io/part-of: shop-r1
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 }}
{{- with .Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- /* Takes (root, further labels), which win. */ -}}
{{- define "shop-r1.labelsAnd" -}}
{{- merge (deepCopy (index . 1)) (include "shop-r1.labels" (index . 0) | fromYaml) | toYaml -}}
{{- end -}}

{{- define "shop-r1.serviceAccount" -}}
{{- $own := ternary (include "shop-r1.fullname" .) "default" .Values.serviceAccount.create -}}
{{- .Values.serviceAccount.name | default $own -}}
{{- end -}}

{{- define "shop-r1.keysSecret" -}}
{{- .Values.auth.existingSecret | default (printf "%s-api-keys" (include "shop-r1.fullname" .)) -}}
{{- end -}}

{{- /* Takes (image, the chart's appVersion). */ -}}
{{- define "shop-r1.image" -}}
{{- $image := index . 0 -}}
{{- with $image.registry }}{{ . }}/{{ end -}}
{{- $image.repository -}}
{{- if $image.digest }}@{{ $image.digest }}{{ else }}:{{ $image.tag | default (index . 1) }}{{ end -}}
{{- end -}}

{{- define "shop-r1.containerSecurity" -}}
allowPrivilegeEscalation: false
capabilities:
  drop: [ALL]
privileged: false
readOnlyRootFilesystem: true
runAsNonRoot: true
{{- end -}}

{{- define "shop-r1.podSecurity" -}}
runAsNonRoot: true
runAsUser: {{ .Values.podSecurityContext.runAsUser }}
runAsGroup: {{ .Values.podSecurityContext.runAsGroup }}
fsGroup: {{ .Values.podSecurityContext.fsGroup }}
fsGroupChangePolicy: OnRootMismatch
seccompProfile:
  type: RuntimeDefault
{{- end -}}

{{- /* A value as an environment variable has it: JSON spells out the large numbers that templates would print as 2e+08. */ -}}
{{- define "shop-r1.text" -}}
{{- kindIs "string" . | ternary . (toJson .) -}}
{{- end -}}
