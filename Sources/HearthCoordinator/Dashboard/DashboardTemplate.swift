/// The page, in Mustache: values are escaped unless in triple braces (our own SVG).
enum DashboardTemplate {
    static let text = """
        <!DOCTYPE html>
        <html lang="en">
        <head>
        <meta charset="utf-8">
        <meta name="viewport" content="width=device-width, initial-scale=1">
        <meta http-equiv="refresh" content="5">
        <title>Hearth</title>
        <style>
        :root { color-scheme: light dark; --ink: #1c2126; --soft: #5c6670; --line: #d7dce0; --paper: #fff; --card: #f6f8f9; }
        @media (prefers-color-scheme: dark) {
          :root { --ink: #e6e9ec; --soft: #9aa5af; --line: #3a4148; --paper: #15181b; --card: #1e2327; } }
        body { font: 15px/1.45 system-ui, "DejaVu Sans", sans-serif; color: var(--ink); background: var(--paper); margin: 0 auto; max-width: 1240px; padding: 1rem 1.5rem; }
        h1 { font-size: 1.4rem; margin: 0; } h2 { font-size: 1.1rem; margin: 1.6rem 0 .5rem; }
        header { display: flex; justify-content: space-between; align-items: baseline; border-bottom: 1px solid var(--line); padding-bottom: .6rem; }
        small, .soft { color: var(--soft); }
        table { border-collapse: collapse; width: 100%; } .scroll { overflow-x: auto; }
        th { text-align: left; font-weight: 600; color: var(--soft); font-size: .85rem; }
        th, td { padding: .3rem .7rem .3rem 0; border-bottom: 1px solid var(--line); vertical-align: top; }
        td.n, th.n { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
        section.node { background: var(--card); border-radius: 8px; padding: .8rem 1rem; margin-bottom: .8rem; }
        .badge { border-radius: 9px; padding: 0 .6em; font-size: .85rem; border: 1px solid currentColor; }
        .good, .succeeded { color: #2e7d32; } .bad, .failed { color: #b3261e; } .running { color: #0b6e99; }
        @media (prefers-color-scheme: dark) { .good, .succeeded { color: #7bc67e; } .bad, .failed { color: #f2877f; } .running { color: #6db8dd; } }
        .charts { display: grid; grid-template-columns: repeat(auto-fit, minmax(340px, 1fr)); gap: 1rem; }
        svg { background: var(--card); border-radius: 8px; width: 100%; } svg text { fill: currentColor; font-size: 11px; }
        svg .title { font-size: 13px; font-weight: 600; } svg .tick { text-anchor: end; fill: var(--soft); dominant-baseline: middle; }
        svg .grid { stroke: var(--line); } svg .line { fill: none; stroke-width: 2; }
        </style>
        </head>
        <body>
        <header><h1>Hearth</h1><small>{{time}}</small></header>
        <main>
        <h2>Nodes</h2>
        {{^hasNodes}}<p class="soft">No node has registered. Start one with <code>hearth agent</code>.</p>{{/hasNodes}}
        {{#nodes}}
        <section class="node" data-node="{{name}}">
        <strong>{{name}}</strong> <span class="badge {{healthClass}}" data-health>{{health}}</span>
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
        <tr data-job="{{id}}"><td>{{id}}</td><td>{{name}}</td><td>{{kind}}</td><td class="{{state}}">{{state}}</td><td>{{node}}</td><td>{{device}}</td><td class="n">{{predicted}}</td><td class="n">{{actual}}</td><td class="n">{{tokens}}</td><td class="n">{{bandwidth}}</td><td class="n">{{share}}</td><td><small>{{note}}</small></td><td><small>{{submitted}}</small></td></tr>
        {{/jobs}}
        </table></div>{{/hasJobs}}
        </main>
        </body>
        </html>
        """
}
