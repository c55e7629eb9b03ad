import HearthFleet

/// How busy a node was: a line of means over a band from the least to the most, one chart a quantity.
struct LoadCharts {
    let loads: [LoadSample]
    let span: LoadSpan

    /// Quantities by the beginning of their names, with what makes them the chart's unit.
    private static let quantities: [(prefix: String, title: String, unit: String, factor: Double)] = [
        ("cpu_busy_ratio", "Processors busy", "%", 100), ("memory_used_bytes", "Memory in use", "GB", 1e-9),
        ("gpu_busy_ratio", "GPUs busy", "%", 100), ("gpu_memory_used_bytes", "GPU memory in use", "GB", 1e-9),
        ("temperature_celsius", "Hottest sensor", "°C", 1), ("power_watts", "Power", "W", 1),
    ]

    var html: String {
        let names = Set(loads.flatMap(\.values.keys)).sorted()
        let charts = Self.quantities.compactMap { quantity -> String? in
            let own = names.filter { $0 == quantity.prefix || $0.hasPrefix(quantity.prefix + ".") }
            if own.isEmpty { return nil }
            let series = own.map { name in
                LineChart.Series(
                    name: name == quantity.prefix
                        ? "mean, least and most" : String(name.dropFirst(quantity.prefix.count + 1)),
                    points: loads.compactMap { sample in
                        sample.values[name].map {
                            .init(
                                time: sample.at, value: $0.mean * quantity.factor,
                                band: ($0.least * quantity.factor, $0.most * quantity.factor))
                        }
                    })
            }
            return LineChart(title: quantity.title, unit: quantity.unit, series: series).svg
        }
        return charts.isEmpty ? "<p>It has not said yet.</p>" : charts.joined()
    }

    /// Links to other spans.
    func choices(of node: String) -> String {
        [("an hour", 1), ("a day", 24), ("a week", 168), ("90 days", 2160)].map { text, hours in
            Double(hours) == span.hours
                ? "<strong>\(text)</strong>" : PageShell.link("/nodes/\(node)?hours=\(hours)", text)
        }.joined(separator: " · ")
    }
}
