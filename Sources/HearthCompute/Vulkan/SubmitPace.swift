import HearthRoofline

/// How fast a device has been working, for cutting submissions to a length in time: a driver resets a device whose one
/// submission takes seconds.
///
/// Shaders differ: one on matrix units does the same work a hundred times as fast as one without. Each has a pace of its own,
/// whatever its constants, once a submission was its alone.
package struct SubmitPace: Sendable {
    /// Work that was submitted at once, and the shader that did it all; nil where there were several.
    package struct Work: Sendable {
        package private(set) var total = 0.0
        package private(set) var shader: String?
        private var isShared = false

        package init() {}

        package mutating func add(_ work: Double, by shader: String?) {
            guard work > 0 else { return }
            isShared = isShared || total > 0 && shader != self.shader
            (total, self.shader) = (total + work, isShared ? nil : shader)
        }
    }

    /// Before anything was measured: what a slow device of the kind does.
    private let assumed: Double
    private var workPerSecond: Double?
    private var ofShader: [String: Double] = [:]

    package init(isSoftware: Bool) { assumed = isSoftware ? 1e9 : 2e11 }

    /// FLOPs or four times the bytes, whichever is more: near enough to compare kernels by.
    package static func work(_ cost: Cost) -> Double { max(cost.flops, 4 * cost.byteCount) }

    package func work(in budget: Duration, of shader: String? = nil) -> Double { pace(of: shader) * budget.seconds }

    private func pace(of shader: String?) -> Double {
        shader.flatMap { ofShader[$0] } ?? workPerSecond ?? assumed
    }

    package mutating func learn(_ work: Work, took duration: Duration) {
        // Small ones tell of latency, not of pace.
        guard work.total > 1e6, duration.seconds > 2e-5 else { return }
        let measured = work.total / duration.seconds
        guard duration.seconds > Self.longEnough else {
            // Latency included, it tells how fast its shader is at the least.
            if let shader = work.shader, measured > pace(of: shader) { ofShader[shader] = measured }
            return
        }
        if let shader = work.shader { ofShader[shader] = Self.learned(measured, ofShader[shader]) }
        // One fast shader says nothing of the others; a slow one warns.
        if work.shader == nil || measured < workPerSecond ?? assumed {
            workPerSecond = Self.learned(measured, workPerSecond)
        }
    }

    private static let longEnough = 2e-3

    /// The slower half counts at once, the faster slowly: a budget is kept by the slowest kernels.
    private static func learned(_ measured: Double, _ known: Double?) -> Double {
        guard let known, measured > known else { return measured }
        return known + 0.1 * (measured - known)
    }
}
