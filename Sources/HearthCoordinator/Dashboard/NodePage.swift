import HearthFleet
import HearthRoofline

/// One node: health with its evidence, what its devices were measured to reach over time, and where its kernels stand under that roof.
struct NodePage {
    let html: String

    init(
        _ node: NodeRecord, history: [Ceilings], loads: LoadCharts, times: [(device: String, time: KernelTime)],
        jobs: [JobRecord]
    ) {
        var facts = [
            (
                "Health",
                "<span class=\"badge \(node.state == "healthy" ? "good" : "bad")\" data-health>\(node.state)</span> \(PageShell.escape(node.evidence ?? ""))"
            ),
            (
                "Site",
                node.site.map { PageShell.escape("\($0.name) (\($0.kind.rawValue), \($0.country))") }
                    ?? "it has not said"
            ),
            ("Last heard", PageShell.time(node.lastSeenAt)), ("Version", PageShell.escape(node.version)),
        ]
        if let reason = node.barred { facts.insert(("Barred", PageShell.escape(reason)), at: 1) }
        if let reason = node.drained { facts.insert(("Drained", PageShell.escape(reason)), at: 1) }
        let devices = Dictionary(grouping: history, by: \.device).sorted { $0.key < $1.key }
        func chart(_ title: String, _ unit: String, _ value: (Ceilings) -> Double) -> String {
            LineChart(
                title: title, unit: unit,
                series: devices.map { device, ceilings in
                    .init(name: device, points: ceilings.map { .init(time: $0.measuredAt, value: value($0)) })
                }
            ).svg
        }
        let charts = [
            chart("Measured f32 ceiling", "GFLOP/s") { $0.f32FlopsPerSecond.median / 1e9 },
            chart("Measured memory ceiling", "GB/s") { $0.bytesPerSecond / 1e9 },
        ]
        let rooflines = node.ceilings.map { ceilings in
            RooflineChart(ceilings, times: times.filter { $0.device == ceilings.device }.map(\.time)).svg
        }
        let rows = jobs.map { job in
            [
                PageShell.link("/jobs/\(job.id)", job.id), PageShell.escape(job.spec.name),
                "<span class=\"\(job.state.rawValue)\">\(job.state.rawValue)</span>",
                JobPage.seconds(job.predictedSeconds), JobPage.seconds(job.outcome?.actualSeconds),
                PageShell.time(job.submittedAt),
            ]
        }
        let body = """
            <div data-live>\(PageShell.list(facts))</div>
            <h2>Load over time</h2><p>\(loads.choices(of: node.node))</p>
            <div class="charts" data-live>\(loads.html)</div>
            <h2>Ceilings over time</h2><div class="charts" data-live>\(charts.joined())</div>
            <h2>Recent kernels under the roof</h2><div class="charts" data-live>\(rooflines.joined())</div>
            <h2>Jobs</h2><div data-live>\(PageShell.table(
                "Jobs of \(node.node)", ["Job", "Name", "State", "#Predicted s", "#Actual s", "Submitted"], rows))</div>
            """
        html = PageShell.page(node.node, body)
    }
}
