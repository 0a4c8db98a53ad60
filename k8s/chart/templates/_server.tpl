{{- /* The server's container. Takes (root, version's name, version). */ -}}
{{- define "shop-r1.server" -}}
{{- $root := index . 0 -}}
{{- $version := index . 2 -}}
name: server
image: {{ include "shop-r1.image" (list $version.image $root.Chart.AppVersion) | quote }}
imagePullPolicy: {{ $version.image.pullPolicy }}
command: [reward-server, serve]
env:
  {{- include "shop-r1.environment" . | trim | nindent 2 }}
ports:
  - name: http
    containerPort: 8080
    protocol: TCP
startupProbe:
  httpGet:
    path: /healthz
    port: http
  {{- toYaml $root.Values.probes.startup | nindent 2 }}
livenessProbe:
  httpGet:
    path: /healthz
    port: http
  {{- toYaml $root.Values.probes.liveness | nindent 2 }}
readinessProbe:
  httpGet:
    path: /readyz
    port: http
  {{- toYaml $root.Values.probes.readiness | nindent 2 }}
{{- with $root.Values.termination.preStopSeconds }}
lifecycle:
  preStop:
    sleep:
      seconds: {{ . }}
{{- end }}
resources:
  {{- toYaml $version.resources | nindent 2 }}
securityContext:
  {{- include "shop-r1.containerSecurity" $root | nindent 2 }}
volumeMounts:
  - name: tmp
    mountPath: /tmp
  {{- if not $root.Values.auth.open }}
  # A folder, for a file mounted by subPath would not follow its Secret.
  - name: api-keys
    mountPath: /etc/shop-r1/keys
    readOnly: true
  {{- end }}
  {{- if include "shop-r1.specFiles" (list $root $version) }}
  - name: specs
    mountPath: /etc/shop-r1/specs
    readOnly: true
  {{- end }}
  {{- with $version.extraVolumeMounts }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end -}}

{{- define "shop-r1.environment" -}}
{{- $root := index . 0 -}}
{{- $version := index . 2 -}}
{{- $settings := dict "REWARD_HOST" "0.0.0.0" "REWARD_PORT" "8080" -}}
{{- $_ := set $settings "REWARD_SPEC" (include "shop-r1.specArgument" (list $root $version.spec)) -}}
{{- $_ := set $settings "REWARD_CERTAINTY" $version.certainty.source -}}
{{- with include "shop-r1.extraSpecs" (list $root $version) | fromJsonArray -}}
{{- $arguments := list -}}
{{- range . -}}{{- $arguments = append $arguments (include "shop-r1.specArgument" (list $root .)) -}}{{- end -}}
{{- $_ := set $settings "REWARD_SPECS" (join "," $arguments) -}}
{{- end -}}
{{- with $version.certainty.model -}}{{- $_ := set $settings "REWARD_CERTAINTY_MODEL" . -}}{{- end -}}
{{- with $version.certainty.revision -}}{{- $_ := set $settings "REWARD_CERTAINTY_REVISION" . -}}{{- end -}}
{{- if eq $version.vllm.mode "sidecar" -}}{{- $_ := set $settings "REWARD_VLLM_URL" "http://127.0.0.1:8000" -}}{{- end -}}
{{- if eq $version.vllm.mode "external" -}}{{- $_ := set $settings "REWARD_VLLM_URL" $version.vllm.external.url -}}{{- end -}}
{{- if $root.Values.auth.open -}}{{- $_ := set $settings "REWARD_OPEN" "true" -}}
{{- else -}}{{- $_ := set $settings "REWARD_API_KEYS_FILE" "/etc/shop-r1/keys/api-keys" -}}{{- end -}}
{{- $_ := set $settings "REWARD_DRAIN_SECONDS" (include "shop-r1.text" $root.Values.termination.drainSeconds) -}}
{{- $_ := set $settings "REWARD_SHUTDOWN_SECONDS" (include "shop-r1.text" $root.Values.termination.shutdownSeconds) -}}
{{- range $name, $value := $version.settings -}}
{{- if not (kindIs "invalid" $value) -}}
{{- $_ := set $settings (printf "REWARD_%s" (snakecase $name | upper)) (include "shop-r1.text" $value) -}}
{{- end -}}
{{- end -}}
{{- range $name, $value := $settings }}
- name: {{ $name }}
  value: {{ $value | quote }}
{{- end }}
{{- if and (eq $version.vllm.mode "external") $version.vllm.external.existingSecret }}
- name: REWARD_VLLM_API_KEY
  valueFrom:
    secretKeyRef:
      name: {{ $version.vllm.external.existingSecret | quote }}
      key: {{ $version.vllm.external.secretKey | quote }}
{{- end }}
{{- if eq $version.certainty.source "vllm-logprobs" }}
- name: HF_HOME
  value: /tmp/huggingface
{{- include "shop-r1.huggingFaceToken" $root }}
{{- end }}
{{- with $version.extraEnv }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "shop-r1.huggingFaceToken" -}}
{{- with .Values.huggingFace.existingSecret }}
- name: HF_TOKEN
  valueFrom:
    secretKeyRef:
      name: {{ . | quote }}
      key: {{ $.Values.huggingFace.secretKey | quote }}
{{- end }}
{{- end -}}
