import ArgumentParser
import Foundation
import HearthBench

/// How `hearth bench` prints its results.
enum BenchFormat: String, CaseIterable, ExpressibleByArgument {
    case table, jsonl, csv, md

    private static let headings = [
        "KERNEL", "SHAPE", "PATH", "THREADS", "CACHE", "PEAK MIB", "MEDIAN", "SPREAD", "FLOP/BYTE", "GFLOP/S", "% PEAK",
        "GB/S", "% BANDWIDTH",
    ]

    private static func cells(_ r: KernelBench.Result) -> [String] {
        [
            r.kernel, r.shape, r.path ?? "-", r.threads.map(String.init) ?? "-", r.cache ?? "-",
            r.peakMebibytes.map { String(format: "%.1f", $0) } ?? "-", Figure.seconds(r.seconds.median),
            Figure.share(r.seconds.spread),
            String(format: "%.3g", r.cost.arithmeticIntensity), Figure.gigaflopsPerSecond(r.achieved.flopsPerSecond),
            Figure.share(r.achieved.shareOfFlops), Figure.gigabytesPerSecond(r.achieved.bytesPerSecond),
            Figure.share(r.achieved.shareOfBandwidth),
        ]
    }

    func text(_ results: [KernelBench.Result]) throws -> String {
        switch self {
        case .table:
            var table = TextTable(cells: Self.headings)
            for result in results { table.add(cells: Self.cells(result)) }
            return table.text
        case .md:
            let lines = [Self.headings, Self.headings.map { _ in "---" }] + results.map(Self.cells)
            return lines.map { "| " + $0.joined(separator: " | ") + " |" }.joined(separator: "\n")
        case .jsonl:
            let encoder = JSONEncoder()
            encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
            return try results.map { String(decoding: try encoder.encode($0), as: UTF8.self) }.joined(separator: "\n")
        case .csv:
            let head = [
                "kernel", "shape", "device", "path", "threads", "cache", "peak_mib", "median_s", "lower_quartile_s",
                "upper_quartile_s", "samples",
                "flops",
                "bytes", "flops_per_s", "bytes_per_s",
            ]
            return ([head] + results.map(Self.csvCells)).map { $0.joined(separator: ",") }.joined(separator: "\n")
        }
    }

    private static func csvCells(_ r: KernelBench.Result) -> [String] {
        let figures: [Double] = [
            r.seconds.median, r.seconds.lowerQuartile, r.seconds.upperQuartile, Double(r.seconds.sampleCount),
            r.cost.flops, r.cost.byteCount, r.achieved.flopsPerSecond, r.achieved.bytesPerSecond,
        ]
        let how = [r.threads.map(String.init) ?? "", r.cache ?? "", r.peakMebibytes.map { String($0) } ?? ""]
        return [r.kernel, r.shape, r.device, r.path ?? ""] + how + figures.map { String(format: "%.9g", $0) }
    }
}
