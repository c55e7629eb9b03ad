import Foundation
import HearthRoofline

/// Kernels under a device's measured roof, both axes logarithmic: FLOP/s over FLOPs a byte.
struct RooflineChart {
    private let ceilings: Ceilings
    private let times: [KernelTime]

    private static let (width, height, left, top, bottom) = (520.0, 300.0, 56.0, 34.0, 40.0)

    init(_ ceilings: Ceilings, times: [KernelTime]) {
        self.ceilings = ceilings
        self.times = times.filter { $0.seconds > 0 && $0.work.cost.flops > 0 && $0.work.cost.byteCount > 0 }
    }

    var svg: String {
        let points = times.map { time in
            (
                name: time.work.kernel, x: time.work.cost.arithmeticIntensity,
                y: time.work.cost.flops * Double(time.work.launches) / time.seconds
            )
        }
        let roof = ceilings.f32FlopsPerSecond.median
        let ridge = roof / ceilings.bytesPerSecond
        let xs = [0.05, ridge * 10] + points.map(\.x)
        let ys = [roof / 1000, roof * 2] + points.map(\.y)
        let (x0, x1, y0, y1) = (log10(xs.min()!), log10(xs.max()!), log10(ys.min()!), log10(ys.max()!))
        func x(_ value: Double) -> String {
            Self.text(Self.left + (log10(value) - x0) / (x1 - x0) * (Self.width - Self.left - 16))
        }
        func y(_ value: Double) -> String {
            Self.text(
                Self.height - Self.bottom - (log10(value) - y0) / (y1 - y0) * (Self.height - Self.top - Self.bottom))
        }
        let title = PageShell.escape("\(ceilings.device): \(ceilings.deviceName)")
        var out = """
            <svg viewBox="0 0 \(Self.width) \(Self.height)" role="img" aria-label="Roofline of \(title), \(points.count) kernels">
            <text x="8" y="18" class="title">\(title)</text>
            <text x="\(Self.width - 16)" y="\(Self.height - 8)" text-anchor="end">FLOPs a byte</text>
            """
        for power in Int(y0.rounded(.up))...max(Int(y0.rounded(.up)), Int(y1)) {
            let value = pow(10, Double(power))
            out +=
                "<line x1=\"\(Self.left)\" x2=\"\(Self.width - 16)\" y1=\"\(y(value))\" y2=\"\(y(value))\" class=\"grid\"/>"
            out += "<text x=\"\(Self.left - 6)\" y=\"\(y(value))\" class=\"tick\">\(Self.rate(value))</text>"
        }
        for power in Int(x0.rounded(.up))...max(Int(x0.rounded(.up)), Int(x1)) {
            let value = pow(10, Double(power))
            out +=
                "<text x=\"\(x(value))\" y=\"\(Self.height - 24)\" text-anchor=\"middle\">\(String(format: "%g", value))</text>"
        }
        let first = pow(10, x0)
        out +=
            "<polyline class=\"roof\" points=\"\(x(first)),\(y(first * ceilings.bytesPerSecond)) \(x(ridge)),\(y(roof)) \(x(pow(10, x1))),\(y(roof))\"/>"
        for point in points {
            out +=
                "<circle cx=\"\(x(point.x))\" cy=\"\(y(point.y))\" r=\"3\" fill=\"#c2571a\"><title>\(PageShell.escape(point.name)): \(Self.rate(point.y))FLOP/s</title></circle>"
        }
        return out + "</svg>"
    }

    private static func text(_ value: Double) -> String { String(format: "%.1f", value) }

    private static func rate(_ value: Double) -> String {
        let (scale, letter) = value >= 1e12 ? (1e12, "T") : value >= 1e9 ? (1e9, "G") : (1e6, "M")
        return String(format: "%.3g ", value / scale) + letter
    }
}
