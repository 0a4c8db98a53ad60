{{- /* Every version as JSON: its name, and the chart's values with its own laid over them. A null removes one. */ -}}
{{- define "shop-r1.versions" -}}
{{- $defaults := pick .Values "image" "replicas" "spec" "extraSpecs" "certainty" "settings" "vllm" "autoscaling"
  "resources" "extraEnv" "podAnnotations" "nodeSelector" "tolerations" "affinity" "runtimeClassName" "priorityClassName"
  "extraVolumes" "extraVolumeMounts" -}}
{{- $_ := set $defaults "extraSpecs" ($defaults.extraSpecs | default list) -}}
{{- $versions := dict -}}
{{- range $name, $own := .Values.versions -}}
{{- if kindIs "map" $own -}}
{{- $base := deepCopy $defaults -}}
{{- /* A digest wins over a tag, and a revision is its model's: the defaults' must not stay beside a version's own. */ -}}
{{- if dig "image" "tag" "" $own -}}{{- $_ := set $base.image "digest" "" -}}{{- end -}}
{{- if dig "vllm" "image" "tag" "" $own -}}{{- $_ := set $base.vllm.image "digest" "" -}}{{- end -}}
{{- if dig "certainty" "model" "" $own -}}{{- $_ := set $base.certainty "revision" "" -}}{{- end -}}
{{- $merged := mustMergeOverwrite $base (deepCopy $own) -}}
{{- include "shop-r1.dropNulls" (list $merged $own) -}}
{{- $_ := set $merged "extraSpecs" ($merged.extraSpecs | default list) -}}
{{- $_ := set $versions $name $merged -}}
{{- end -}}
{{- end -}}
{{- $versions | default (dict .Values.stable $defaults) | toJson -}}
{{- end -}}

{{- /* Takes out of the first dict what is null in the second. */ -}}
{{- define "shop-r1.dropNulls" -}}
{{- $merged := index . 0 -}}
{{- range $key, $own := index . 1 -}}
{{- if kindIs "invalid" $own -}}
{{- $_ := unset $merged $key -}}
{{- else if kindIs "map" $own -}}
{{- include "shop-r1.dropNulls" (list (get $merged $key) $own) -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "shop-r1.versionName" -}}
{{- printf "%s-%s" (include "shop-r1.fullname" (index . 0)) (index . 1) -}}
{{- end -}}

{{- define "shop-r1.versionSelector" -}}
{{ include "shop-r1.selector" (index . 0) }}
shop-r1.dev/version: {{ index . 1 | quote }}
{{- end -}}

{{- define "shop-r1.versionLabels" -}}
{{ include "shop-r1.labels" (index . 0) }}
app.kubernetes.io/component: server
shop-r1.dev/version: {{ index . 1 | quote }}
{{- end -}}

{{- /* Of pods: nothing that a new version of the chart changes, which would replace them all. */ -}}
{{- define "shop-r1.podLabels" -}}
{{ include "shop-r1.versionSelector" . }}
app.kubernetes.io/component: server
app.kubernetes.io/part-of: shop-r1
{{- with (index . 0).Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- /* The specs that the server brings along, as JSON. */ -}}
{{- define "shop-r1.presets" -}}
{{- list "shop-r1" "shop-r1-binary" "shop-r1-kl-from-uniform" "shop-r1-kl-to-uniform-over-vocab" "shop-r1-no-dars"
  "shop-r1-no-format" "shop-r1-no-rationale" "binary" "customer-r1" "opera" | toJson -}}
{{- end -}}

{{- /* Those of them that need no certainty, as JSON. */ -}}
{{- define "shop-r1.presetsWithoutCertainty" -}}
{{- list "shop-r1-no-rationale" "binary" "customer-r1" | toJson -}}
{{- end -}}

{{- /* The spec that `helm test` scores with: a preset that needs no certainty, so that the number can be known beforehand. */ -}}
{{- define "shop-r1.testSpec" -}}
shop-r1-no-rationale
{{- end -}}

{{- /* Specs that a version loads besides its default, as JSON. None means every preset. */ -}}
{{- define "shop-r1.extraSpecs" -}}
{{- $names := (index . 1).extraSpecs -}}
{{- if $names -}}
{{- $names = append $names (include "shop-r1.testSpec" .) | uniq -}}
{{- end -}}
{{- $names | toJson -}}
{{- end -}}

{{- /* A spec as the server is told: a file of ours, or a preset. */ -}}
{{- define "shop-r1.specArgument" -}}
{{- $name := index . 1 -}}
{{- hasKey ((index . 0).Values.specs | default dict) $name | ternary (printf "/etc/shop-r1/specs/%s.toml" $name) $name -}}
{{- end -}}

{{- /* The files among a version's specs, as the data of its ConfigMap. Empty where all are presets. */ -}}
{{- define "shop-r1.specFiles" -}}
{{- $root := index . 0 -}}
{{- $files := dict -}}
{{- range prepend (include "shop-r1.extraSpecs" . | fromJsonArray) (index . 1).spec -}}
{{- if hasKey ($root.Values.specs | default dict) . -}}
{{- $_ := set $files (printf "%s.toml" .) (get $root.Values.specs .) -}}
{{- end -}}
{{- end -}}
{{- with $files }}{{ toYaml . }}{{ end -}}
{{- end -}}

{{- /* Not empty where a version's pods download something from a model hub. */ -}}
{{- define "shop-r1.downloads" -}}
{{- if or (eq .vllm.mode "sidecar") (eq .certainty.source "vllm-logprobs") }}yes{{ end -}}
{{- end -}}
