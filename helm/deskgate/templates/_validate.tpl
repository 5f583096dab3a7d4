{{/* Every combination that cannot work, all at once, each with its fix. Each part writes one line a problem. */}}

{{- define "deskgate.validate" -}}
{{- $found := list -}}
{{- range tuple "habits" "names" "source" "config" "listeners" "secrets" "files" "scale" "entrance" "lifecycle" "policies" "test" -}}
{{- $found = concat $found (splitList "\n" (include (printf "deskgate.problems.%s" .) $)) -}}
{{- end -}}
{{- $problems := list -}}
{{- range $found }}{{- with trim . }}{{- $problems = append $problems (printf "- %s" .) -}}{{- end -}}{{- end -}}
{{- if $problems -}}
{{- fail (printf "\n\nDeskgate cannot be installed with these values:\n%s\n" (join "\n" (uniq $problems))) -}}
{{- end -}}
{{- end -}}

{{/* Values of other charts, typed in by habit: habits.json has what to write in place of each. */}}
{{- define "deskgate.problems.habits" -}}
{{- range $path, $instead := .Files.Get "habits.json" | fromJson -}}
{{- $at := $.Values -}}
{{- $isThere := true -}}
{{- range splitList "." $path -}}
{{- if and $isThere (kindIs "map" $at) (hasKey (ternary $at dict (kindIs "map" $at)) .) }}{{ $at = get $at . }}{{ else }}{{ $isThere = false }}{{ end -}}
{{- end -}}
{{- if $isThere }}
{{ $path }} is not a value of this chart: {{ $instead }}
{{- end -}}
{{- end -}}
{{- range $at, $host := .Values.ingress.hosts -}}
{{- if kindIs "map" $host }}
ingress.hosts[{{ $at }}] is a mapping: write the host name alone, and its paths under ingress.paths
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "deskgate.problems.source" -}}
{{- if .Values.existingConfigMap -}}
{{- if .Values.files }}
files and existingConfigMap are both set: put the files into that ConfigMap
{{- end }}
{{- if eq .Values.reload "roll" }}
reload: roll has no effect with existingConfigMap, whose content is not known here: give the ConfigMap another name when it changes
{{- end }}
{{- if and (or .Values.ingress.enabled .Values.httpRoute.enabled) (not (get .Values.config "publicUrl")) (not (concat .Values.ingress.hosts .Values.httpRoute.hostnames)) }}
config.publicUrl is missing: with existingConfigMap, state here what the chart needs of it (publicUrl, listen, ops.probes, prefix, drain, tls), or set ingress.hosts
{{- end }}
{{- end -}}
{{- end -}}

{{- define "deskgate.problems.names" -}}
{{- $name := include "deskgate.fullname" . -}}
{{- if not (regexMatch "^[a-z]([-a-z0-9]*[a-z0-9])?$" $name) }}
{{ $name }} is not a valid Service name: set fullnameOverride to lower-case letters, digits and hyphens, a letter first
{{- end }}
{{- if not (regexMatch "^[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?$" (include "deskgate.name" .)) }}
nameOverride is {{ include "deskgate.name" . }}, which is not a valid label: use letters, digits and hyphens
{{- end }}
{{- end -}}

{{- define "deskgate.problems.config" -}}
{{- $config := .Values.config -}}
{{- $url := include "deskgate.publicUrl" . -}}
{{- if not .Values.existingConfigMap -}}
{{- if not $url }}
config.publicUrl is missing: the origin that browsers use, such as https://desk.example.com
{{- else if not (or (hasPrefix "https://" $url) (has (include "deskgate.host" $url) (list "localhost" "127.0.0.1"))) }}
config.publicUrl is {{ $url }}: cookies and logins could be read in transit; use https
{{- end }}
{{- if not (dig "desk" "url" "" $config) }}
config.desk.url is missing: the address of Desk's Service, such as http://desk.help:3000
{{- end }}
{{- if and (empty (get $config "providers")) (not (dig "login" "alsoAllowDeskAuthentication" false $config)) }}
config.providers is empty: nobody can log in; name at least one identity provider
{{- end }}
{{- if empty (get $config "agents") }}
config.agents is empty: there is no default; name a directory, such as [{ domains: [example.com] }]
{{- end }}
{{- end }}
{{- end -}}

{{- define "deskgate.problems.listeners" -}}
{{- $listen := toString (dig "listen" "0.0.0.0:8080" .Values.config) -}}
{{- $ops := toString (dig "ops" "listen" "127.0.0.1:9090" .Values.config) -}}
{{- $probes := toString (dig "ops" "probes" "" .Values.config) -}}
{{- $loopback := "^(localhost|127\\.[0-9.]+|\\[::1\\]):" -}}
{{- if or (not (include "deskgate.port" $listen)) (regexMatch $loopback $listen) }}
config.listen is {{ $listen }}: the Service cannot reach it; use 0.0.0.0:8080, or [::]:8080 for IPv6
{{- end }}
{{- if not (regexMatch $loopback $ops) }}
config.ops.listen is {{ $ops }}: the API, which is not encrypted, must stay on 127.0.0.1; kubelet and Prometheus use config.ops.probes
{{- end }}
{{- if or (not (include "deskgate.port" $probes)) (regexMatch $loopback $probes) }}
config.ops.probes is {{ default "not set" $probes }}: the kubelet cannot ask it; use 0.0.0.0:9091, or [::]:9091 for IPv6
{{- end }}
{{- $ports := list (include "deskgate.port" $listen) (include "deskgate.port" $ops) (include "deskgate.port" $probes) -}}
{{- range compact $ports -}}
{{- if or (lt (int64 .) 1) (gt (int64 .) 65535) }}
config names port {{ . }}, which is not allowed: use one between 1024 and 65535
{{- end }}
{{- end }}
{{- if lt (len (uniq $ports)) 3 }}
config.listen, config.ops.listen and config.ops.probes must have three different ports: they are {{ join ", " $ports }}
{{- end }}
{{- if or (has "IPv6" .Values.service.ipFamilies) (has .Values.service.ipFamilyPolicy (list "PreferDualStack" "RequireDualStack")) -}}
{{- range $key, $address := dict "config.listen" $listen "config.ops.probes" $probes -}}
{{- if hasPrefix "0.0.0.0:" $address }}
{{ $key }} is {{ $address }}, which does not listen on IPv6, but the Service has IPv6: use "[::]:{{ include "deskgate.port" $address }}"
{{- end }}
{{- end }}
{{- end }}
{{- end -}}

{{- define "deskgate.problems.scale" -}}
{{- $most := int64 (include "deskgate.most" .) -}}
{{- $workers := toString (dig "workers" 1 .Values.config) -}}
{{- if eq (include "deskgate.store" .) "memory" -}}
{{- if .Values.autoscaling.enabled }}
autoscaling is enabled, but config.sessions.store is memory: pods would not know each other's sessions; give it a Redis, such as { file: /etc/deskgate/secrets/redis-url }
{{- else if gt $most 1 }}
replicas is {{ $most }}, but config.sessions.store is memory: pods would not know each other's sessions; give it a Redis, such as { file: /etc/deskgate/secrets/redis-url }, or set replicas: 1
{{- end }}
{{- if ne $workers "1" }}
config.workers is {{ $workers }}, but config.sessions.store is memory: processes would not know each other's sessions; give it a Redis, or set workers: 1
{{- end }}
{{- if eq (dig "type" "Recreate" (default dict .Values.strategy)) "RollingUpdate" }}
strategy is RollingUpdate, but config.sessions.store is memory: two pods would run at once; leave strategy out, or use Recreate
{{- end }}
{{- end }}
{{- if and (eq $workers "auto") (not (dig "limits" "cpu" "" (default dict .Values.resources))) }}
config.workers is auto, which counts the cores of the node, not of the pod: write a number, or leave it out and add pods
{{- end }}
{{- with .Values.autoscaling }}
{{- if and .enabled (gt (int64 .minReplicas) (int64 .maxReplicas)) }}
autoscaling.minReplicas ({{ .minReplicas }}) is more than autoscaling.maxReplicas ({{ .maxReplicas }}): swap them
{{- end }}
{{- if and .enabled (not .targetCPU) (not .targetMemory) }}
autoscaling has no target: set autoscaling.targetCPU or autoscaling.targetMemory
{{- end }}
{{- range $key, $resource := dict "targetCPU" "cpu" "targetMemory" "memory" }}
{{- if and $.Values.autoscaling.enabled (get $.Values.autoscaling $key) (not (include "deskgate.asksFor" (dict "root" $ "resource" $resource))) }}
autoscaling.{{ $key }} is a percentage of resources.requests.{{ $resource }}, which is not set: set it, or set autoscaling.{{ $key }} to null
{{- end }}
{{- end }}
{{- end }}
{{- if and .Values.podDisruptionBudget.enabled (has (toString .Values.podDisruptionBudget.maxUnavailable) (list "0" "0%")) }}
podDisruptionBudget.maxUnavailable is 0: no node could ever be drained; use 1
{{- end }}
{{- end -}}

{{/* Whether the container asks for a resource, by a request or, as Kubernetes has it, by a limit. { root, resource } */}}
{{- define "deskgate.asksFor" -}}
{{- $resources := default dict .root.Values.resources -}}
{{- range tuple "requests" "limits" -}}
{{- if get (default dict (get $resources .)) $.resource }}true{{ end -}}
{{- end -}}
{{- end -}}

{{- define "deskgate.problems.entrance" -}}
{{- $ways := list -}}
{{- if .Values.ingress.enabled }}{{ $ways = append $ways "ingress" }}{{ end -}}
{{- if .Values.httpRoute.enabled }}{{ $ways = append $ways "httpRoute" }}{{ end -}}
{{- if gt (len $ways) 1 }}
ingress and httpRoute are both enabled: requests would pass two sets of rules; disable one of them
{{- end }}
{{- if and $ways (eq .Values.service.type "LoadBalancer") }}
service.type is LoadBalancer beside {{ join " and " $ways }}: clients of the load balancer could count as a trusted proxy, and choose their address; use ClusterIP, or disable {{ join " and " $ways }}
{{- end }}
{{- if and .Values.service.loadBalancerSourceRanges (ne .Values.service.type "LoadBalancer") }}
service.loadBalancerSourceRanges has no effect on a Service of type {{ .Values.service.type }}: leave it out, or use LoadBalancer
{{- end }}
{{- if and .Values.service.externalTrafficPolicy (eq .Values.service.type "ClusterIP") }}
service.externalTrafficPolicy cannot be set on a Service of type ClusterIP: leave it out
{{- end }}
{{- if and $ways (not .Values.existingConfigMap) (empty (get .Values.config "trustedProxies")) }}
{{ join " and " $ways }} is enabled, but config.trustedProxies is empty: every client would have the controller's address; name the network of its pods, such as [10.0.0.0/8]
{{- end }}
{{- if and .Values.httpRoute.enabled (empty .Values.httpRoute.parentRefs) }}
httpRoute.parentRefs is empty: no Gateway would take the route; name one, such as [{ name: public, namespace: gateways }]
{{- end }}
{{- if and .Values.service.nodePort (eq .Values.service.type "ClusterIP") }}
service.nodePort has no effect on a Service of type ClusterIP: leave it out, or use NodePort
{{- end }}
{{- $paths := list -}}
{{- range .Values.ingress.paths }}{{ $paths = append $paths .path }}{{ end -}}
{{- if and .Values.ingress.enabled (not (or (has "/" $paths) (has "/*" $paths))) }}
ingress.paths does not contain /: the rest of the site would not pass the gateway; add { path: /, pathType: Prefix }
{{- end }}
{{- $host := include "deskgate.host" (include "deskgate.publicUrl" .) -}}
{{- if and $ways (regexMatch "^([0-9.]+|\\[.*\\])$" $host) }}
config.publicUrl is at the address {{ $host }}, and {{ join " and " $ways }} needs a host name: use a name in publicUrl, or service.type LoadBalancer
{{- end }}
{{- range $key, $hosts := dict "ingress.hosts" .Values.ingress.hosts "httpRoute.hostnames" .Values.httpRoute.hostnames -}}
{{- $filled := list -}}
{{- range $hosts }}{{ $filled = append $filled (include "deskgate.filled" (dict "root" $ "text" .)) }}{{ end -}}
{{- if and $hosts $host (not (has $host $filled)) }}
{{ $key }} does not contain {{ $host }}, the host of config.publicUrl: every link leads there; add it, or leave {{ $key }} empty
{{- end }}
{{- end }}
{{- end -}}

{{- define "deskgate.problems.lifecycle" -}}
{{- $needed := add (int64 (include "deskgate.drain" .)) (int64 .Values.preStop) -}}
{{- if le (int64 (include "deskgate.grace" .)) $needed }}
terminationGracePeriodSeconds is {{ include "deskgate.grace" . }}, but preStop and config.drain take {{ $needed }} seconds: requests would be cut; set it to {{ add $needed 10 }} or more, or leave it out
{{- end }}
{{- end -}}

{{- define "deskgate.problems.policies" -}}
{{- if and .Values.networkPolicy.enabled (empty .Values.networkPolicy.ingressFrom) }}
networkPolicy.ingressFrom is empty: a NetworkPolicy without peers allows everybody; name the controller, such as [{ namespaceSelector: { matchLabels: { kubernetes.io/metadata.name: ingress-nginx } } }]
{{- end }}
{{- if and .Values.deskNetworkPolicy.enabled (empty .Values.deskNetworkPolicy.podLabels) }}
deskNetworkPolicy.podLabels is empty: the policy would close the whole namespace; name the labels of Desk's pods
{{- end }}
{{- if and .Values.serviceMonitor.enabled .Values.networkPolicy.enabled (empty .Values.networkPolicy.metricsFrom) }}
networkPolicy.metricsFrom is empty, but serviceMonitor is enabled: Prometheus could not scrape; name its pods
{{- end }}
{{- $monitor := .Values.serviceMonitor -}}
{{- if and $monitor.enabled $monitor.scrapeTimeout (gt (int64 (include "deskgate.seconds" $monitor.scrapeTimeout)) (int64 (include "deskgate.seconds" $monitor.interval))) }}
serviceMonitor.scrapeTimeout ({{ $monitor.scrapeTimeout }}) is longer than its interval ({{ $monitor.interval }}), which Prometheus refuses: make it shorter
{{- end }}
{{- end -}}

{{- define "deskgate.problems.test" -}}
{{- if .Values.test.doctor -}}
{{- if eq (include "deskgate.store" .) "memory" }}
test.doctor is on, but config.sessions.store is memory: pods would not know the rehearsal that its pod opens; give it a Redis, or run deskgate doctor by kubectl exec
{{- end }}
{{- if not (or .Values.existingConfigMap (dig "ops" "adminToken" "" .Values.config)) }}
config.ops.adminToken is missing: test.doctor opens a rehearsal with it; set it, such as { file: /etc/deskgate/secrets/admin-token }
{{- end }}
{{- end -}}
{{- end -}}
