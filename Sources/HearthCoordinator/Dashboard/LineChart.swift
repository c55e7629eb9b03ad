import Foundation

/// A small line chart over time as SVG, drawn on the server: no script, no library.
struct LineChart {
    struct Point {
        let time: Double
        let value: Double
        /// The least and the most of what `value` is the mean of.
        var band: (least: Double, most: Double)?
    }
    struct Series {
        let name: String
        let points: [Point]
    }
    let title: String
    let unit: String
    let series: [Series]

    private static let colours = ["#0b6e99", "#c2571a", "#2e7d32", "#7b3fa0", "#9a7d0a", "#555555"]
    private static let mostDots = 60
    private static let (width, height, left, top, bottom) = (520.0, 220.0, 56.0, 34.0, 40.0)

    var svg: String {
        var out = """
            <svg viewBox="0 0 \(Self.width) \(Self.height)" role="img" aria-label="\(PageShell.escape(title)) in \(unit)">
            <text x="8" y="18" class="title">\(PageShell.escape(title)), \(unit)</text>
            """
        let points = series.flatMap(\.points)
        guard let first = points.map(\.time).min(), let last = points.map(\.time).max(),
            let largest = points.map({ $0.band?.most ?? $0.value }).max()
        else { return out + "<text x=\"\(Self.left)\" y=\"110\">no data yet</text></svg>" }
        let roof = Self.niceCeiling(largest)
        func x(_ time: Double) -> Double {
            last > first
                ? Self.left + (time - first) / (last - first) * (Self.width - Self.left - 16)
                : (Self.left + Self.width) / 2
        }
        func y(_ value: Double) -> Double {
            Self.height - Self.bottom - value / roof * (Self.height - Self.top - Self.bottom)
        }
        for step in 0...4 {
            let value = roof * Double(step) / 4
            let line = Self.number(y(value))
            out += "<line x1=\"\(Self.left)\" x2=\"\(Self.width - 16)\" y1=\"\(line)\" y2=\"\(line)\" class=\"grid\"/>"
            out += "<text x=\"\(Self.left - 6)\" y=\"\(line)\" class=\"tick\">\(Self.number(value))</text>"
        }
        for (time, anchor, place) in [(first, "start", Self.left), (last, "end", Self.width - 16)] where last > first {
            out += """
                <text x="\(place)" y="\(Self.height - Self.bottom + 12)" class="time" text-anchor="\(anchor)">\
                \(PageShell.time(time))</text>
                """
        }
        for (index, one) in series.enumerated() {
            let colour = Self.colours[index % Self.colours.count]
            let path = one.points.map { "\(Self.number(x($0.time))),\(Self.number(y($0.value)))" }
            let bands = one.points.compactMap { point in point.band.map { (x(point.time), y($0.most), y($0.least)) } }
            if bands.count > 1 {
                let outline =
                    bands.map { "\(Self.number($0.0)),\(Self.number($0.1))" }
                    + bands.reversed().map { "\(Self.number($0.0)),\(Self.number($0.2))" }
                out += "<polygon points=\"\(outline.joined(separator: " "))\" fill=\"\(colour)\" class=\"band\"/>"
            }
            out += "<polyline points=\"\(path.joined(separator: " "))\" stroke=\"\(colour)\" class=\"line\"/>"
            // More would be one thick line.
            for point in one.points where one.points.count <= Self.mostDots {
                out += """
                    <circle cx="\(Self.number(x(point.time)))" cy="\(Self.number(y(point.value)))" r="3" fill="\(colour)">\
                    <title>\(PageShell.escape(one.name)): \(Self.number(point.value)) \(unit)</title></circle>
                    """
            }
            let legend = Self.left + Double(index % 3) * 155
            let row = Self.height - 18 + Double(index / 3) * 12
            out +=
                "<text x=\"\(legend)\" y=\"\(row)\" style=\"fill:\(colour)\">&#9679; \(PageShell.escape(one.name))</text>"
        }
        return out + "</svg>"
    }

    /// The next 1, 2 or 5 times a power of ten.
    static func niceCeiling(_ value: Double) -> Double {
        guard value > 0, value.isFinite else { return 1 }
        let power = pow(10, floor(log10(value)))
        return [1, 2, 5, 10].map { $0 * power }.first { $0 >= value * 0.999 } ?? value
    }

    private static func number(_ value: Double) -> String { String(format: "%.4g", value) }
}
