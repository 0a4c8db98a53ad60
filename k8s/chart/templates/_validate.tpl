{{- /* What the schema cannot say: fails with one sentence. */ -}}
{{- define "shop-r1.validate" -}}
{{- $versions := include "shop-r1.versions" . | fromJson -}}
{{- $specs := .Values.specs | default dict -}}
{{- $full := include "shop-r1.fullname" . -}}
{{- if not (regexMatch "^[a-z]([-a-z0-9]*[a-z0-9])?$" $full) -}}
{{- fail (printf "fullnameOverride: Services are named after %q: set one that begins with a letter and has no dots" $full) -}}
{{- end -}}
{{- if not (hasKey $versions .Values.stable) -}}
{{- fail (printf "stable: there is no version %q; there are %s" .Values.stable (keys $versions | sortAlpha | join ", ")) -}}
{{- end -}}
{{- $weights := 0 -}}
{{- range $name, $version := $versions -}}
{{- with $version.weight -}}
{{- if eq $name $.Values.stable -}}
{{- fail (printf "versions.%s.weight: the stable version gets what the others leave; remove its weight" $name) -}}
{{- end -}}
{{- $weights = add $weights . -}}
{{- end -}}
{{- include "shop-r1.validateVersion" (list $name $version) -}}
{{- if and $.Values.serviceMonitor.enabled (has $version.settings.metrics (list "key" "off")) -}}
{{- fail (printf "version %s: settings.metrics is %s, and serviceMonitor.enabled has Prometheus ask without a key" $name $version.settings.metrics) -}}
{{- end -}}
{{- if and $.Values.auth.open (or (eq "key" (toString $version.settings.metrics)) (eq "key" (toString $version.settings.docs))) -}}
{{- fail (printf "version %s: settings.metrics and settings.docs cannot ask for a key where auth.open leaves none" $name) -}}
{{- end -}}
{{- $ownCache := dig "vllm" "cache" dict (get ($.Values.versions | default dict) $name | default dict) -}}
{{- range list "storageClass" "accessModes" "size" -}}
{{- if and (hasKey $ownCache .) $version.vllm.cache.create -}}
{{- fail (printf "versions.%s.vllm.cache.%s: all versions share one claim, which vllm.cache describes" $name .) -}}
{{- end -}}
{{- end -}}
{{- $known := concat (keys $specs) (include "shop-r1.presets" $ | fromJsonArray) -}}
{{- range prepend $version.extraSpecs $version.spec -}}
{{- if not (has . $known) -}}
{{- fail (printf "version %s: there is no spec %q; there are %s" $name . (sortAlpha $known | join ", ")) -}}
{{- end -}}
{{- end -}}
{{- if eq $version.certainty.source "none" -}}
{{- $without := concat (keys $specs) (include "shop-r1.presetsWithoutCertainty" $ | fromJsonArray) -}}
{{- range prepend $version.extraSpecs $version.spec -}}
{{- if not (has . $without) -}}
{{- fail (printf "version %s: spec %q weighs the rationale's certainty, and certainty.source is none" $name .) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- if and (eq $version.autoscaling.mode "keda") (not $.Values.serviceMonitor.enabled) -}}
{{- fail (printf "version %s: autoscaling by keda counts by labels that serviceMonitor gives: set serviceMonitor.enabled" $name) -}}
{{- end -}}
{{- end -}}
{{- if and $weights (not .Values.route.enabled) -}}
{{- fail "versions: a weight is a share of the route's requests, and route.enabled is false" -}}
{{- end -}}
{{- if gt (int $weights) 100 -}}
{{- fail (printf "versions: their weights are percentages, and add up to %d" (int $weights)) -}}
{{- end -}}
{{- range $name, $text := $specs -}}
{{- if not (regexMatch (printf "(?m)^name\\s*=\\s*[\"']%s[\"']\\s*(#.*)?$" (replace "." "[.]" $name)) $text) -}}
{{- fail (printf "specs.%s: its text has to say name = %q, which is what ?spec= asks for" $name $name) -}}
{{- end -}}
{{- end -}}
{{- with .Values.serviceMonitor -}}
{{- if gt (trimSuffix "s" .scrapeTimeout | int) (trimSuffix "s" .interval | int) -}}
{{- fail (printf "serviceMonitor: scrapeTimeout (%s) is longer than interval (%s), which Prometheus refuses" .scrapeTimeout .interval) -}}
{{- end -}}
{{- end -}}
{{- $none := "^0+%?$" -}}
{{- with .Values.rollingUpdate -}}
{{- if and (regexMatch $none (toString .maxSurge)) (regexMatch $none (toString .maxUnavailable)) -}}
{{- fail "rollingUpdate: maxSurge and maxUnavailable are both 0, and no pod could be replaced; set maxUnavailable to 1" -}}
{{- end -}}
{{- end -}}
{{- if and .Values.route.enabled (not .Values.route.parentRefs) -}}
{{- fail "route.parentRefs: name the Gateway that the route belongs to" -}}
{{- end -}}
{{- if and .Values.route.enabled (gt (len $versions) 7) -}}
{{- fail "versions: an HTTPRoute has 16 rules at most, which is enough for 7 versions" -}}
{{- end -}}
{{- if and .Values.auth.open (or .Values.auth.existingSecret .Values.auth.keys) -}}
{{- fail "auth: open serves anyone, so leave existingSecret and keys empty" -}}
{{- end -}}
{{- if and .Values.auth.existingSecret .Values.auth.keys -}}
{{- fail "auth: give an existingSecret, or keys to make one of, not both" -}}
{{- end -}}
{{- end -}}

{{- define "shop-r1.validateVersion" -}}
{{- $name := index . 0 -}}
{{- $version := index . 1 -}}
{{- $mode := $version.vllm.mode -}}
{{- $source := $version.certainty.source -}}
{{- if and (eq $mode "sidecar") (ne $source "vllm") -}}
{{- fail (printf "version %s: a vLLM sidecar has our plugin, so set certainty.source to vllm, not %s" $name $source) -}}
{{- end -}}
{{- if and (eq $mode "external") (not (hasPrefix "vllm" $source)) -}}
{{- fail (printf "version %s: certainty.source %s does not ask the external vLLM" $name $source) -}}
{{- end -}}
{{- if and (eq $mode "none") (hasPrefix "vllm" $source) -}}
{{- fail (printf "version %s: certainty.source %s needs vllm.mode sidecar or external" $name $source) -}}
{{- end -}}
{{- if and (eq $mode "external") (not $version.vllm.external.url) -}}
{{- fail (printf "version %s: vllm.external.url is missing" $name) -}}
{{- end -}}
{{- if eq $mode "external" -}}
{{- $url := urlParse $version.vllm.external.url -}}
{{- if $url.userinfo -}}
{{- fail (printf "version %s: vllm.external.url shows a password to all who can read it: use existingSecret" $name) -}}
{{- end -}}
{{- $port := regexFind ":[0-9]+$" $url.host | trimPrefix ":" -}}
{{- if and $port (or (lt (atoi $port) 1) (gt (atoi $port) 65535)) -}}
{{- fail (printf "version %s: vllm.external.url: ports end at 65535, and %s is none" $name $port) -}}
{{- end -}}
{{- end -}}
{{- if and (or (eq $mode "sidecar") (eq $source "vllm-logprobs")) (not $version.certainty.model) -}}
{{- fail (printf "version %s: certainty.model is missing" $name) -}}
{{- end -}}
{{- if and (eq $version.autoscaling.mode "keda") (not $version.autoscaling.prometheusUrl) -}}
{{- fail (printf "version %s: autoscaling.prometheusUrl is missing" $name) -}}
{{- end -}}
{{- if and (eq $version.autoscaling.mode "hpa") (not (or $version.autoscaling.cpuUtilization $version.autoscaling.podsMetric)) -}}
{{- fail (printf "version %s: autoscaling by hpa needs cpuUtilization or podsMetric" $name) -}}
{{- end -}}
{{- $counts := eq $version.autoscaling.mode "hpa" | ternary $version.autoscaling.podsMetric (eq $version.autoscaling.mode "keda") -}}
{{- if and $counts (not $version.autoscaling.inFlight) -}}
{{- fail (printf "version %s: autoscaling on requests in flight needs inFlight" $name) -}}
{{- end -}}
{{- range $owner, $variables := dict "extraEnv" (list $version.extraEnv (list "HF_HOME" "HF_TOKEN")) "vllm.extraEnv" (list
  $version.vllm.extraEnv (list "USER" "HOME" "HF_HOME" "HF_TOKEN" "VLLM_CACHE_ROOT" "TORCHINDUCTOR_CACHE_DIR" "TRITON_CACHE_DIR")) -}}
{{- $taken := index $variables 1 -}}
{{- range index $variables 0 -}}
{{- if has .name $taken -}}
{{- fail (printf "version %s: %s: %s is there twice, or is the chart's own" $name $owner .name) -}}
{{- end -}}
{{- $taken = append $taken .name -}}
{{- end -}}
{{- end -}}
{{- $volumes := list -}}
{{- range $version.extraVolumes -}}
{{- if has .name $volumes -}}
{{- fail (printf "version %s: extraVolumes has two that are called %q" $name .name) -}}
{{- end -}}
{{- $volumes = append $volumes .name -}}
{{- end -}}
{{- range concat $version.extraVolumeMounts $version.vllm.extraVolumeMounts -}}
{{- if not (has .name $volumes) -}}
{{- fail (printf "version %s: there is no volume %q to mount; extraVolumes has %s" $name .name (join ", " $volumes | default "none")) -}}
{{- end -}}
{{- end -}}
{{- if lt (int $version.autoscaling.maxReplicas) (int $version.autoscaling.minReplicas) -}}
{{- fail (printf "version %s: autoscaling.maxReplicas is below minReplicas" $name) -}}
{{- end -}}
{{- end -}}
