{{- /* The vLLM sidecar: it starts before the server and stops after it, so that requests in flight keep their certainties.
Probes run inside, for it listens on loopback only. Takes (root, version). */ -}}
{{- define "shop-r1.vllm" -}}
{{- $root := index . 0 -}}
{{- $version := index . 1 -}}
{{- $vllm := $version.vllm -}}
name: vllm
{{- /* The server's tag before the chart's: a new chart must not replace the vLLM of a version that is pinned. */}}
image: {{ include "shop-r1.image" (list $vllm.image ($version.image.tag | default $root.Chart.AppVersion)) | quote }}
imagePullPolicy: {{ $vllm.image.pullPolicy }}
restartPolicy: Always
command: [python3, -m, reward_server.vllm_plugin, {{ $version.certainty.model | quote }}]
args:
  - --port=8000
  {{- with $version.certainty.revision }}
  - {{ printf "--revision=%s" . | quote }}
  {{- end }}
  {{- range $vllm.args }}
  - {{ . | quote }}
  {{- end }}
env:
  # torch asks for the user's name, which /etc/passwd need not have.
  - name: USER
    value: vllm
  - name: HOME
    value: /cache
  - name: HF_HOME
    value: /cache/huggingface
  - name: VLLM_CACHE_ROOT
    value: /cache/vllm
  - name: TORCHINDUCTOR_CACHE_DIR
    value: /tmp/torchinductor
  - name: TRITON_CACHE_DIR
    value: /tmp/triton
  {{- with include "shop-r1.huggingFaceToken" $root | trim }}
  {{- . | nindent 2 }}
  {{- end }}
  {{- with $vllm.extraEnv }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
startupProbe:
  exec:
    # Not by urllib, which would ask a proxy of the environment.
    command: &health
      - python3
      - -c
      - |
        import http.client, sys
        vllm = http.client.HTTPConnection("127.0.0.1", 8000, timeout=8)
        vllm.request("GET", "/health")
        sys.exit(vllm.getresponse().status != 200)
  periodSeconds: 10
  timeoutSeconds: 10
  failureThreshold: {{ divf $vllm.startupSeconds 10 | ceil }}
livenessProbe:
  exec:
    command: *health
  periodSeconds: 30
  timeoutSeconds: 10
  failureThreshold: 4
resources:
  {{- toYaml $vllm.resources | nindent 2 }}
securityContext:
  {{- include "shop-r1.containerSecurity" $root | nindent 2 }}
volumeMounts:
  - name: vllm-tmp
    mountPath: /tmp
  - name: shared-memory
    mountPath: /dev/shm
  - name: model-cache
    mountPath: /cache
  {{- with $vllm.extraVolumeMounts }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end -}}

{{- define "shop-r1.vllmVolumes" -}}
{{- $root := index . 0 -}}
{{- $vllm := (index . 1).vllm -}}
- name: vllm-tmp
  emptyDir: {}
- name: shared-memory
  emptyDir:
    medium: Memory
    sizeLimit: {{ $vllm.sharedMemory }}
- name: model-cache
  {{- if or $vllm.cache.existingClaim $vllm.cache.create }}
  persistentVolumeClaim:
    claimName: {{ $vllm.cache.existingClaim | default (printf "%s-model-cache" (include "shop-r1.fullname" $root)) | quote }}
  {{- else }}
  emptyDir:
    sizeLimit: {{ $vllm.cache.size }}
  {{- end }}
{{- end -}}
