import HearthFleet
import HearthInference
import HearthRoofline
import HearthTelemetry

/// `/metrics` of the inference server.
enum ServeMetrics {
    static func text(_ m: EngineMetrics, ceilings: Ceilings?, energy: [EnergyMeter.Reading]) -> String {
        var out = PrometheusText()
        func counter(_ name: String, _ help: String, _ value: Double) {
            out.add(name, .counter, help: help, [([], value)])
        }
        func gauge(_ name: String, _ help: String, _ value: Double) { out.add(name, .gauge, help: help, [([], value)]) }
        out.add(
            "hearth_serve_requests_total", .counter, help: "Requests by how they ended.",
            [
                ("completed", m.completed), ("cancelled", m.cancelled), ("failed", m.failed), ("refused", m.refused),
            ].map { ([("outcome", $0.0)], Double($0.1)) })
        gauge("hearth_serve_queued_requests", "Requests that wait.", Double(m.queued))
        gauge("hearth_serve_active_requests", "Answers under way.", Double(m.active))
        counter(
            "hearth_serve_preemptions_total", "Answers put out for want of pages, and begun again.", Double(m.preempted)
        )
        counter("hearth_serve_prompt_tokens_total", "Tokens of prompts.", Double(m.promptTokens))
        counter("hearth_serve_cached_prompt_tokens_total", "Of those, found in the cache.", Double(m.cachedTokens))
        counter("hearth_serve_generated_tokens_total", "Tokens of answers.", Double(m.generatedTokens))
        gauge("hearth_serve_kv_pages", "Pages of keys and values.", Double(m.pages))
        gauge("hearth_serve_kv_held_pages", "Pages that answers under way hold.", Double(m.heldPages))
        counter("hearth_serve_passes_total", "Passes of the model.", Double(m.passes))
        counter("hearth_serve_busy_seconds_total", "Time in passes.", m.busySeconds)
        counter("hearth_serve_flops_total", "Modelled floating-point operations.", m.flops)
        counter("hearth_serve_moved_bytes_total", "Modelled bytes read and written.", m.bytes)
        if let ceilings, m.busySeconds > 0 {
            gauge(
                "hearth_serve_bandwidth_ratio", "Share of the device's measured bandwidth while busy, since the start.",
                m.bytes / m.busySeconds / ceilings.bytesPerSecond)
            gauge(
                "hearth_serve_flops_ratio", "Share of the device's measured f32 ceiling while busy, since the start.",
                m.flops / m.busySeconds / ceilings.f32FlopsPerSecond.median)
        }
        // None where the machine has no counters.
        out.add(
            "hearth_energy_joules_total", .counter,
            help: "Energy of parts of this machine since the server's start, whoever used it.",
            energy.map { ([("domain", $0.domain)], $0.joules) })
        out.add(
            "hearth_serve_time_to_first_token_seconds", histogram: EngineMetrics.Histogram.bounds,
            m.timeToFirstToken.counts, sum: m.timeToFirstToken.sum, help: "From submission to the first token.")
        out.add(
            "hearth_serve_time_per_output_token_seconds", histogram: EngineMetrics.Histogram.bounds,
            m.timePerOutputToken.counts, sum: m.timePerOutputToken.sum, help: "Between tokens of one answer.")
        return out.text
    }
}
