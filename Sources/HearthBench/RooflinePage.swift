import Foundation
import HearthRoofline

/// One self-contained page: the roofline with every kernel a point, a sortable table, the machine.
public struct RooflinePage {
    private let results: [KernelBench.Result]
    private let ceilings: Ceilings

    public init(_ results: [KernelBench.Result], ceilings: Ceilings) {
        (self.results, self.ceilings) = (results, ceilings)
    }

    public var html: String {
        """
        <!doctype html>
        <html lang="en"><head><meta charset="utf-8"><title>Hearth kernels on \(Self.escape(ceilings.deviceName))</title>
        <style>
        body{font:15px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:60rem;padding:0 1rem;color:#1c2733}
        table{border-collapse:collapse;width:100%}td,th{padding:.3rem .4rem;font-size:.8rem;text-align:right;border-bottom:1px solid #dde3e8}
        td:nth-child(-n+5),th:nth-child(-n+5){text-align:left}th{cursor:pointer}svg{width:100%;height:auto}
        svg text{font-size:11px;fill:#40505e}.grid{stroke:#e3e8ec}.roof{stroke:#c2571a;stroke-width:2;fill:none}.other{stroke-dasharray:6 4;stroke-width:1.2}
        </style></head><body>
        <h1>Kernels beside this machine's measured ceilings</h1>
        <p>\(Self.escape(ceilings.deviceName)), \(Self.escape(ceilings.device)), \(Self.escape(ceilings.driver)). Measured
        \(Self.escape(Self.date(ceilings.measuredAt))): \(Self.figure(ceilings.f32FlopsPerSecond.median / 1e9)) GFLOP/s of f32
        multiply-adds\(otherRoofs.map { ", \(Self.figure($0.peak)) of \($0.name)" }.joined()), \
        \(Self.figure(ceilings.bytesPerSecond / 1e9)) GB/s of memory. Bytes are compulsory traffic: kernels whose operands stay
        in a cache may stand above the slope. A kernel's % peak is of the roof of its own arithmetic.</p>
        \(plot)
        <table id="t"><thead><tr><th>kernel<th>shape<th>path<th>threads<th>cache<th>median ms<th>spread %<th>FLOP/byte<th>GFLOP/s<th>% peak<th>GB/s<th>%
        bandwidth</tr></thead><tbody>
        \(results.map(row).joined(separator: "\n"))
        </tbody></table>
        <script>
        document.querySelectorAll('#t th').forEach((th,i)=>th.onclick=()=>{const b=document.querySelector('#t tbody');
        const d=th.d=-(th.d||1);[...b.rows].sort((x,y)=>{const p=x.cells[i].textContent,q=y.cells[i].textContent;
        return d*(isNaN(p-q)?p.localeCompare(q):p-q)}).forEach(r=>b.append(r))});
        </script></body></html>
        """
    }

    private func row(_ r: KernelBench.Result) -> String {
        let a = r.achieved
        let cells =
            [r.kernel, r.shape, r.path ?? "-", r.threads.map(String.init) ?? "-", r.cache ?? "-"].map(Self.escape)
            + [
                r.seconds.median * 1e3, r.seconds.spread * 100, r.cost.arithmeticIntensity, a.flopsPerSecond / 1e9,
                (a.shareOfFlops ?? 0) * 100, a.bytesPerSecond / 1e9, (a.shareOfBandwidth ?? 0) * 100,
            ].map(Self.figure)
        return "<tr>" + cells.map { "<td>\($0)" }.joined() + "</tr>"
    }

    /// Roofs beside f32's, in GFLOP/s.
    private var otherRoofs: [(name: String, peak: Double)] {
        [("bf16", ceilings.bf16FlopsPerSecond), ("int8", ceilings.int8OpsPerSecond)].compactMap { name, value in
            value.map { (name, $0.median / 1e9) }
        }
    }

    // ---- the plot: log-log, FLOP/byte to the right, GFLOP/s upwards

    private static let (width, height, left, bottom, top, right) = (860.0, 460.0, 70.0, 50.0, 20.0, 20.0)

    private struct Axes {
        let x, y: ClosedRange<Double>
        func place(_ intensity: Double, _ flops: Double) -> (Double, Double) {
            func share(_ value: Double, _ range: ClosedRange<Double>) -> Double {
                (log10(value) - range.lowerBound) / (range.upperBound - range.lowerBound)
            }
            return (
                left + share(intensity, x) * (width - left - right),
                height - bottom - share(flops, y) * (height - top - bottom)
            )
        }
    }

    private var plot: String {
        let points = results.filter { $0.cost.flops > 0 && $0.cost.byteCount > 0 }
        let (peak, slope) = (ceilings.f32FlopsPerSecond.median / 1e9, ceilings.bytesPerSecond / 1e9)
        let ridge = peak / slope
        let intensities = points.map(\.cost.arithmeticIntensity) + [ridge, 0.1]
        let rates = points.map { $0.achieved.flopsPerSecond / 1e9 } + [peak, peak / 1000] + otherRoofs.map(\.peak)
        let axes = Axes(
            x: floor(log10(intensities.min()!))...ceil(log10(intensities.max()!)),
            y: floor(log10(rates.min()!))...ceil(log10(rates.max()! * 1.05)))
        var out = """
            <svg viewBox="0 0 \(Self.width) \(Self.height)" role="img" aria-label="Roofline of \(results.count) kernels">
            """
        for power in stride(from: axes.x.lowerBound, through: axes.x.upperBound, by: 1) {
            let (x, y) = axes.place(pow(10, power), pow(10, axes.y.lowerBound))
            out += "<path class=\"grid\" d=\"M\(Self.figure(x)) \(y)V\(Self.top)\"/>"
            let label = Self.figure(pow(10, power))
            out += "<text x=\"\(Self.figure(x))\" y=\"\(y + 16)\" text-anchor=\"middle\">\(label)</text>"
        }
        for power in stride(from: axes.y.lowerBound, through: axes.y.upperBound, by: 1) {
            let (x, y) = axes.place(pow(10, axes.x.lowerBound), pow(10, power))
            out += "<path class=\"grid\" d=\"M\(x) \(Self.figure(y))H\(Self.width - Self.right)\"/>"
            let label = Self.figure(pow(10, power))
            out += "<text x=\"\(x - 8)\" y=\"\(Self.figure(y + 4))\" text-anchor=\"end\">\(label)</text>"
        }
        let ends = [
            axes.place(pow(10, axes.x.lowerBound), max(slope * pow(10, axes.x.lowerBound), pow(10, axes.y.lowerBound))),
            axes.place(ridge, peak), axes.place(pow(10, axes.x.upperBound), peak),
        ]
        let line = ends.map { "\(Self.figure($0.0)),\(Self.figure($0.1))" }.joined(separator: " ")
        out += "<polyline class=\"roof\" points=\"\(line)\"/>"
        for roof in otherRoofs {
            let (start, end) = (
                axes.place(roof.peak / slope, roof.peak), axes.place(pow(10, axes.x.upperBound), roof.peak)
            )
            let corner = axes.place(ridge, peak)
            out += """
                <polyline class="roof other" points="\(Self.figure(corner.0)),\(Self.figure(corner.1)) \
                \(Self.figure(start.0)),\(Self.figure(start.1)) \(Self.figure(end.0)),\(Self.figure(end.1))"/>\
                <text x="\(Self.width - Self.right - 4)" y="\(Self.figure(end.1 - 5))" text-anchor="end">\(roof.name)</text>
                """
        }
        let kinds = Array(Set(points.map { Self.kind($0) })).sorted()
        for point in points {
            let (x, y) = axes.place(point.cost.arithmeticIntensity, point.achieved.flopsPerSecond / 1e9)
            let text = "\(point.kernel) \(point.shape): \(Self.figure(point.achieved.flopsPerSecond / 1e9)) GFLOP/s"
            out += """
                <circle cx="\(Self.figure(x))" cy="\(Self.figure(y))" r="5" fill="\(Self.colour(Self.kind(point), kinds))" \
                fill-opacity=".8"><title>\(Self.escape(text))</title></circle>
                """
        }
        for (index, kind) in kinds.enumerated() {
            out += """
                <text x="\(Self.left + 14)" y="\(Self.top + 16 + Double(index) * 16)" \
                style="fill:\(Self.colour(kind, kinds))">&#9679; \(Self.escape(kind))</text>
                """
        }
        return out + """
            <text x="\(Self.width / 2)" y="\(Self.height - 8)" text-anchor="middle">FLOP a byte</text>
            <text transform="translate(14 \(Self.height / 2)) rotate(-90)" text-anchor="middle">GFLOP/s</text></svg>
            """
    }

    /// The kernel's family: what stands before the dtype.
    private static func kind(_ result: KernelBench.Result) -> String {
        String(result.kernel.prefix { $0 != "." })
    }

    private static func colour(_ kind: String, _ kinds: [String]) -> String {
        let colours = ["#0b6e99", "#2e7d32", "#7b3fa0", "#9a7d0a", "#b3261e", "#555555"]
        return colours[(kinds.firstIndex(of: kind) ?? 0) % colours.count]
    }

    private static func figure(_ value: Double) -> String { String(format: "%.4g", value) }

    private static func date(_ seconds: Double) -> String {
        ISO8601DateFormatter().string(from: Date(timeIntervalSince1970: seconds))
    }

    private static func escape(_ text: String) -> String {
        text.replacingOccurrences(of: "&", with: "&amp;").replacingOccurrences(of: "<", with: "&lt;")
            .replacingOccurrences(of: ">", with: "&gt;").replacingOccurrences(of: "\"", with: "&quot;")
    }
}
