import HearthFleet
import HearthRoofline
import HearthTelemetry
import Hummingbird
import NIOCore

/// The agent's own `/metrics` and `/healthz`, on loopback.
enum AgentMetrics {
    static func router(
        store: AgentStore, prober: DeviceProber, graphics: GraphicsWatch, link: CoordinatorLink
    ) -> Router<BasicRequestContext> {
        let router = Router(context: BasicRequestContext.self)
        let energy = EnergyMeter()
        router.get("/healthz") { _, _ in "ok\n" }
        router.get("/metrics") { _, _ in
            let text =
                Self.text(of: Host().metrics(with: await graphics.metrics), energy: energy.read())
                + Self.text(
                    ceilings: await prober.ceilings, health: await prober.health,
                    isRegistered: await link.isRegistered, spooled: try await store.pendingCount(),
                    jobs: try await store.activeJobs().count)
                + Self.text(speeds: await prober.speeds, checks: await prober.speedChecks)
            return Response(
                status: .ok, headers: [.contentType: "text/plain; version=0.0.4"],
                body: .init(byteBuffer: ByteBuffer(string: text)))
        }
        return router
    }

    /// OpenTelemetry's names of hardware metrics, where it has one, as Prometheus writes them.
    private static let standardNames = [
        ("hearth_host_gpu_busy_ratio", "hw_gpu_utilization_ratio"),
        ("hearth_host_gpu_memory_bytes", "hw_gpu_memory_limit_bytes"),
        ("hearth_host_gpu_memory_used_bytes", "hw_gpu_memory_usage_bytes"),
    ]

    private static func text(of metrics: [Metric], energy: [EnergyMeter.Reading]) -> String {
        var out = PrometheusText()
        for metric in metrics {
            let samples = metric.samples.map {
                ($0.labels.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }, $0.value)
            }
            out.add(metric.name, metric.isCounter ? .counter : .gauge, help: metric.help, samples)
        }
        for (name, standard) in standardNames {
            guard let metric = metrics.first(where: { $0.name == name }) else { continue }
            out.add(
                standard, .gauge, help: metric.help,
                metric.samples.map { ([("hw_id", $0.labels["card"] ?? "")], $0.value) })
        }
        out.add(
            "hearth_energy_joules_total", .counter, help: "Energy of parts of this machine since the agent's start.",
            energy.map { ([("domain", $0.domain)], $0.joules) })
        return out.text
    }

    static func text(speeds: [String: SpeedWatch], checks: [SpeedCheckOutcome: Int]) -> String {
        var out = PrometheusText()
        out.add(
            "hearth_speed_checks_total", .counter,
            help: "Checks of a device's speed; disturbed ones say nothing of it.",
            checks.sorted { $0.key.rawValue < $1.key.rawValue }.map {
                ([("outcome", $0.key.rawValue)], Double($0.value))
            })
        let figures = speeds.sorted { $0.key < $1.key }.flatMap { device, watch in
            watch.figures.map { (labels: [("device", device), ("figure", $0.name)], $0.share, $0.isSlow) }
        }
        out.add(
            "hearth_device_speed_ratio", .gauge, help: "A device's speed now, of what it was.",
            figures.compactMap { labels, share, _ in share.map { (labels, $0) } })
        out.add(
            "hearth_device_slow", .gauge, help: "1 while a figure of a device is lower than it was.",
            figures.map { labels, _, isSlow in (labels, isSlow ? 1 : 0) })
        return out.text
    }

    static func text(ceilings: [Ceilings], health: NodeHealth, isRegistered: Bool, spooled: Int, jobs: Int) -> String {
        var out = PrometheusText()
        out.add(
            "hearth_agent_registered", .gauge, help: "1 while the coordinator knows this node.",
            [([], isRegistered ? 1 : 0)])
        out.add(
            "hearth_agent_healthy", .gauge, help: "1 when the last probe was good.", [([], health == .healthy ? 1 : 0)])
        out.add("hearth_agent_spooled_reports", .gauge, help: "Reports not yet acknowledged.", [([], Double(spooled))])
        out.add(
            "hearth_agent_active_jobs", .gauge, help: "Jobs of this node that have not ended.", [([], Double(jobs))])
        func ceiling(_ name: String, _ help: String, _ value: (Ceilings) -> MeasuredValue) {
            out.add(name, .gauge, help: help, ceilings.map { ([("device", $0.device)], value($0).median) })
        }
        ceiling("hearth_device_f32_flops_per_second", "Measured f32 ceiling.") { $0.f32FlopsPerSecond }
        ceiling("hearth_device_copy_bytes_per_second", "Measured copy bandwidth.") { $0.copyBytesPerSecond }
        ceiling("hearth_device_read_bytes_per_second", "Measured read bandwidth.") { $0.readBytesPerSecond }
        ceiling("hearth_device_triad_bytes_per_second", "Measured triad bandwidth.") { $0.triadBytesPerSecond }
        return out.text
    }
}
