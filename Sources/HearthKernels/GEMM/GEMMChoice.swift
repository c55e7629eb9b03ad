import Foundation
import HearthCompute
import Synchronization

/// Which of the CPU's ways to make an f32 product is taken: measured on this machine (`hearth probe`), kept in the cache
/// folder, looked up by the nearest measured shape. Without a table it is our own.
///
/// OpenBLAS's sums depend on the shape of the product, so it is never chosen for packed weights.
public enum GEMMChoice {
    public enum Path: String, Sendable, Codable, CaseIterable {
        /// One row against weights stored by rows.
        case row
        /// Our blocked product, which reads B in place where it can.
        case blocked
        /// The same with panels of B packed first: the same bits.
        case packed
        case openBLAS

        /// Whether our product packs B; nil where the way is not ours to say.
        var isPacked: Bool? { self == .packed ? true : self == .blocked ? false : nil }
    }

    /// One shape's times, in seconds.
    public struct Measurement: Sendable, Codable {
        public let m, n, k: Int
        /// Whether B is stored `[k, n]` row by row, which needs no packing, rather than as weights `[n, k]`.
        public let isPlain: Bool
        public let seconds: [String: Double]

        package init(m: Int, n: Int, k: Int, isPlain: Bool, seconds: [Path: Double]) {
            (self.m, self.n, self.k, self.isPlain) = (m, n, k, isPlain)
            self.seconds = Dictionary(uniqueKeysWithValues: seconds.map { ($0.rawValue, $1) })
        }

        /// Ours, whose bits do not depend on the shape, unless another was faster by more than a measurement is off.
        package var fastest: Path? {
            guard let best = seconds.min(by: { $0.value < $1.value }) else { return nil }
            if let ours, best.value > GEMMChoice.margin * (seconds[ours.rawValue] ?? 0) { return ours }
            return Path(rawValue: best.key)
        }

        /// The faster of our own ways.
        var ours: Path? {
            let known = [Path.blocked, .packed].compactMap { path in seconds[path.rawValue].map { (path, $0) } }
            return known.min { $0.1 < $1.1 }?.0
        }
    }

    public struct Table: Sendable, Codable {
        public let measuredAt: Double
        public let measurements: [Measurement]
        /// Of a small product on one thread and shared by all; nil in tables of before this was measured.
        public let small: SmallMeasurement?

        package init(measuredAt: Double, measurements: [Measurement], small: SmallMeasurement? = nil) {
            (self.measuredAt, self.measurements, self.small) = (measuredAt, measurements, small)
        }
    }

    /// Seconds of 64x64x64, about the smallest product that is shared anywhere.
    public struct SmallMeasurement: Sendable, Codable {
        public let aloneSeconds, sharedSeconds: Double

        package init(aloneSeconds: Double, sharedSeconds: Double) {
            (self.aloneSeconds, self.sharedSeconds) = (aloneSeconds, sharedSeconds)
        }
    }

    /// What the probe decides in its place.
    package static let forcedAlone = Mutex<Bool?>(nil)

    /// Whether a small product is faster on one of so many threads than on all; not where that was not measured.
    static func keepsSmallAlone(threads: Int) -> Bool {
        forcedAlone.withLock { $0 } ?? tables[threads]?.keepsSmallAlone ?? false
    }

    /// Of our time: what another way must stay below.
    static let margin = 0.95

    /// Shapes farther than this from every measured one are not decided by them.
    private static let reach = 4.0

    /// - Parameter kind: with a number counted up when other ways or shapes are measured: a table of fewer says nothing of the new ones.
    static func file(_ kind: String, _ suffix: String = "") -> URL {
        // Not Device.list(), which starts every Vulkan driver. The processor's name, for home folders that machines share.
        let cpu = CPUDevice.describe()
        let name = "\(cpu.name) \(cpu.driver)\(suffix)".map { $0.isLetter || $0.isNumber ? $0 : "-" }
        return CacheFolder.url.appending(path: "choices/\(kind)-\(String(name)).json")
    }

    private static func file(threads: Int) -> URL { file("gemm-v4", " t\(threads)") }

    /// nil when this machine was never measured with so many threads, or the file cannot be read.
    public static func load(threads: Int) -> Table? {
        (try? Data(contentsOf: file(threads: threads))).flatMap { try? JSONDecoder().decode(Table.self, from: $0) }
    }

    package static func save(_ table: Table, threads: Int) throws {
        try save(table, file(threads: threads))
    }

    static func save(_ measured: some Encodable, _ file: URL) throws {
        try FileManager.default.createDirectory(
            at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
        try JSONEncoder().encode(measured).write(to: file, options: .atomic)
    }

    /// Looked up once a process and number of threads.
    private static let tables = TableCache()

    /// A path, and what it was chosen by.
    struct Choice {
        let path: Path
        let note: String
        var measurement: Measurement?

        /// For people; made only when somebody asks.
        var reason: String {
            guard let measurement else { return note }
            let times = measurement.seconds.sorted { $0.value < $1.value }
                .map { "\($0.key) \(String(format: "%.3g", $0.value * 1e3)) ms" }.joined(separator: ", ")
            let layout = measurement.isPlain ? "" : ", weights by rows"
            return "measured at \(measurement.m)x\(measurement.n)x\(measurement.k)\(layout): \(times)\(note)"
        }
    }

    static func choose(_ p: GEMM.Problem, _ a: Tensor, _ b: Tensor, _ cpu: CPUDevice) -> Choice {
        // Packing would cost as much as the product.
        if p.m == 1, b.isContiguous, a.strides[1] == 1 || p.k == 1 {
            return Choice(path: .row, note: "one row, weights stored by rows")
        }
        let ours: Path = GEMM.Right(weights: b).isPacked && b.strides[0] == 1 ? .packed : .blocked
        guard let table = tables[cpu.threadCount] else {
            return Choice(path: ours, note: "not measured on this machine")
        }
        guard let (nearest, fastest) = table.nearest(p, isPlain: b.strides[0] == 1) else {
            return Choice(path: ours, note: "no measured shape is near")
        }
        if nearest.isPlain, GEMM.Right.hasPageEach(row: nearest.n) != GEMM.Right.hasPageEach(row: b.strides[1]) {
            return Choice(path: ours, note: "the nearest measured shape has its rows closer or farther apart")
        }
        if fastest == .openBLAS, let problem = GEMM.openBLASProblem(a, b) {
            return Choice(path: nearest.ours ?? ours, note: "; \(problem)", measurement: nearest)
        }
        return Choice(path: fastest, note: "", measurement: nearest)
    }

    /// A table ready to be asked before every product.
    fileprivate struct Prepared: Sendable {
        private typealias Point = (m: Double, n: Double, k: Double, path: Path, measurement: Measurement)
        private let plain, byRows: [Point]
        let keepsSmallAlone: Bool

        init(_ table: Table) {
            keepsSmallAlone = table.small.map { $0.aloneSeconds < $0.sharedSeconds } ?? false
            let points: [Point] = table.measurements.compactMap { at in
                at.fastest.map { (log2(Double(at.m)), log2(Double(at.n)), log2(Double(at.k)), $0, at) }
            }
            (plain, byRows) = (points.filter(\.measurement.isPlain), points.filter { !$0.measurement.isPlain })
        }

        /// The nearest measured shape in octaves, if any is in reach.
        func nearest(_ p: GEMM.Problem, isPlain: Bool) -> (Measurement, Path)? {
            let points = isPlain ? plain : byRows
            let (m, n, k) = (log2(Double(p.m)), log2(Double(p.n)), log2(Double(p.k)))
            var (best, found) = (GEMMChoice.reach, -1)
            for i in points.indices {
                let distance = abs(points[i].m - m) + abs(points[i].n - n) + abs(points[i].k - k)
                if distance <= best { (best, found) = (distance, i) }
            }
            return found < 0 ? nil : (points[found].measurement, points[found].path)
        }
    }
}

private final class TableCache: Sendable {
    private let known = Mutex<[Int: GEMMChoice.Prepared?]>([:])

    subscript(threads: Int) -> GEMMChoice.Prepared? {
        known.withLock { known in
            if let table = known[threads] { return table }
            let table = GEMMChoice.load(threads: threads).map(GEMMChoice.Prepared.init)
            known[threads] = .some(table)
            return table
        }
    }
}
