import Foundation

/// Where the kernel says how the machine is. A test lays out its own.
public struct Host: Sendable {
    private let root: String

    /// - Parameter root: what /proc and /sys are under.
    public init(root: String = "") { self.root = root }

    /// A file's text without the blanks around it; nil where there is none, or where it cannot be read.
    func text(_ path: String) -> String? {
        guard let data = FileManager.default.contents(atPath: root + path) else { return nil }
        return String(decoding: data, as: UTF8.self).trimmingCharacters(in: .whitespacesAndNewlines)
    }

    func number(_ path: String) -> Double? { text(path).flatMap { Double($0) } }

    func lines(_ path: String) -> [Substring] { text(path)?.split(separator: "\n") ?? [] }

    /// Names in a folder that begin with `prefix` and go on with a number, in its order.
    func numbered(_ folder: String, prefix: String) -> [String] {
        let all = (try? FileManager.default.contentsOfDirectory(atPath: root + folder)) ?? []
        func number(_ name: String) -> Int? { name.hasPrefix(prefix) ? Int(name.dropFirst(prefix.count)) : nil }
        return all.filter { number($0) != nil }.sorted { number($0)! < number($1)! }
    }

    /// All names in a folder, sorted.
    func names(_ folder: String) -> [String] {
        ((try? FileManager.default.contentsOfDirectory(atPath: root + folder)) ?? []).sorted()
    }

    /// Every collector.
    public static let collectors: [any Collector] = [
        ProcessorCollector(), MemoryCollector(), DiskCollector(), NetworkCollector(), LinkCollector(),
        ThermalCollector(), MemoryErrorCollector(), GraphicsCollector(),
    ]

    /// What all of them see now, and `others` under their names; nothing of what this machine does not have.
    public func metrics(with others: [Metric] = []) -> [Metric] { Metric.joined(metrics(Self.collectors) + others) }

    func metrics(_ collectors: [any Collector]) -> [Metric] {
        collectors.flatMap { $0.metrics(of: self) }.filter { !$0.samples.isEmpty }
    }
}

/// One side of the machine.
public protocol Collector: Sendable {
    func metrics(of host: Host) -> [Metric]
}

/// Samples under one name, which has its base unit at its end.
public struct Metric: Sendable, Codable, Hashable {
    public struct Sample: Sendable, Codable, Hashable {
        /// Names and values.
        public let labels: [String: String]
        public let value: Double

        public init(_ labels: [String: String] = [:], _ value: Double) { (self.labels, self.value) = (labels, value) }
    }

    public let name: String
    public let help: String
    /// Only grows.
    public let isCounter: Bool
    public let samples: [Sample]

    /// Each name once, with the samples of all that have it, where it first was.
    static func joined(_ metrics: [Metric]) -> [Metric] {
        let named = Dictionary(grouping: metrics, by: \.name)
        var seen: Set<String> = []
        return metrics.filter { seen.insert($0.name).inserted }.map { first in
            Metric(
                name: first.name, help: first.help, isCounter: first.isCounter,
                samples: named[first.name]!.flatMap(\.samples))
        }
    }

    static func gauge(_ name: String, _ help: String, _ samples: [Sample]) -> Self {
        Self(name: name, help: help, isCounter: false, samples: samples)
    }

    static func counter(_ name: String, _ help: String, _ samples: [Sample]) -> Self {
        Self(name: name, help: help, isCounter: true, samples: samples)
    }
}
