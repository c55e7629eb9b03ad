/// The fleet, in Mustache: values are escaped unless in triple braces (our own SVG).
enum DashboardTemplate {
    static let text = """
        <div data-live>
        <h2>Nodes</h2>
        {{^hasNodes}}<p class="soft">No node has registered. Start one with <code>hearth agent</code>.</p>{{/hasNodes}}
        {{#nodes}}
        <section class="node" data-node="{{name}}">
        <strong><a href="/nodes/{{name}}">{{name}}</a></strong> <span class="badge {{healthClass}}" data-health>{{health}}</span>
        <small>{{evidence}} last heard {{lastSeen}}, version {{version}}</small>
        <div class="scroll"><table>
        <tr><th>Device</th><th>Name</th><th>Driver</th><th class="n">Memory GiB</th><th class="n">f32 GFLOP/s</th><th class="n">Read GB/s</th><th class="n">Copy GB/s</th><th class="n">Triad GB/s</th><th class="n">Submit &micro;s</th><th>Measured</th></tr>
        {{#devices}}
        <tr data-device="{{selector}}"><td>{{selector}} <small>{{kind}}</small></td><td>{{name}}</td><td>{{driver}}</td><td class="n">{{memory}}</td><td class="n" data-figure="f32">{{flops}}</td><td class="n" data-figure="read">{{read}}</td><td class="n" data-figure="copy">{{copy}}</td><td class="n" data-figure="triad">{{triad}}</td><td class="n">{{submit}}</td><td><small>{{measured}}</small></td></tr>
        {{/devices}}
        </table></div>
        </section>
        {{/nodes}}
        <h2>Throughput and bandwidth over time</h2>
        <div class="charts">{{#charts}}{{{svg}}}{{/charts}}</div>
        <h2>Jobs</h2>
        {{^hasJobs}}<p class="soft">No job yet. Submit one with <code>hearth submit SPEC.yaml</code>.</p>{{/hasJobs}}
        {{#hasJobs}}<div class="scroll"><table>
        <tr><th>Job</th><th>Name</th><th>Kind</th><th>State</th><th>Node</th><th>Device</th><th class="n">Predicted s</th><th class="n">Actual s</th><th class="n">Tokens/s</th><th class="n">GB/s</th><th class="n">% of ceiling</th><th>Note</th><th>Submitted</th></tr>
        {{#jobs}}
        <tr data-job="{{id}}"><td><a href="/jobs/{{id}}">{{id}}</a></td><td>{{name}}</td><td>{{kind}}</td><td class="{{state}}">{{state}}</td><td>{{#hasNode}}<a href="/nodes/{{node}}">{{node}}</a>{{/hasNode}}</td><td>{{device}}</td><td class="n">{{predicted}}</td><td class="n">{{actual}}</td><td class="n">{{tokens}}</td><td class="n">{{bandwidth}}</td><td class="n">{{share}}</td><td><small>{{note}}</small></td><td><small>{{submitted}}</small></td></tr>
        {{/jobs}}
        </table></div>{{/hasJobs}}
        </div>
        """
}
