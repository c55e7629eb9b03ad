import Foundation
import HearthFleet
import HearthPolicy

/// What is on record of a model: which data, where, when, for what, on which machine, with how much compute and energy.
///
/// The questions are those of the record-keeping duties of the EU's AI Act (article 12, annex IV); the answers are leaves of the ledger, by number, so that
/// each can be proved.
public struct RecordSheet: Sendable, Codable {
    public struct Use: Sendable, Codable {
        /// Of the leaf that says so.
        public let leaf: Int
        public let job: String
        /// Seconds since 1970.
        public let startedAt, finishedAt: Double
        public let node, site, device: String?
        public let kind: JobSpec.Kind?
        public let purpose: Purpose?
        public let state: JobState?
        public let data: [DataUse]
        public let decision: String?
        public let input, output: FileUse?
        public let seconds: Double
        public let flops, energyJoules, cost: Double?
    }

    public struct Totals: Sendable, Codable {
        public var jobs = 0
        public var seconds = 0.0
        public var flops = 0.0
        /// nil where no machine had counters; of the jobs that had, where some did.
        public var energyJoules: Double?
        public var jobsWithEnergy = 0
        /// As energy.
        public var cost: Double?
        public var jobsWithCost = 0
        public var sites: [String: Int] = [:]
        public var data: [String: Int] = [:]
    }

    public let ledger: String
    public let leaves: Int
    public let sha256: String
    /// Where nodes had it.
    public let paths: [String]
    public let uses: [Use]
    public let totals: Totals

    /// Of the model with that digest, or the beginning of one.
    ///
    /// - Returns: nil where no job used it, or the beginning is of several.
    public init?(_ history: LedgerHistory, model digest: String) {
        var (uses, paths, digests): ([Use], Set<String>, Set<String>) = ([], [], [])
        for entry in history.entries {
            guard let outcome = entry.record.outcome, let model = outcome.model, model.sha256.hasPrefix(digest)
            else { continue }
            digests.insert(model.sha256)
            paths.insert(model.path)
            uses.append(Use(entry, outcome, assigned: history.assignment(of: entry.record)))
        }
        guard digests.count == 1, let sha256 = digests.first else { return nil }
        (ledger, leaves, self.sha256) = (history.origin, history.entries.count, sha256)
        (self.paths, self.uses) = (paths.sorted(), uses)
        totals = uses.reduce(into: Totals()) { $0.add($1) }
    }

    /// Digests of the models in `history`, with how many jobs used each.
    public static func models(_ history: LedgerHistory) -> [(sha256: String, path: String, jobs: Int)] {
        let models = history.entries.compactMap { $0.record.outcome?.model }
        return Dictionary(grouping: models, by: \.sha256).map { ($0.key, $0.value[0].path, $0.value.count) }
            .sorted { ($0.path, $0.sha256) < ($1.path, $1.sha256) }
    }
}

extension RecordSheet.Use {
    init(_ entry: LedgerHistory.Entry, _ outcome: JobOutcome, assigned: LedgerRecord?) {
        let record = entry.record
        (leaf, job, kind, purpose) = (entry.index, record.job, record.jobKind, record.purpose)
        (startedAt, finishedAt) = (record.at - outcome.actualSeconds, record.at)
        (node, site, device, state) = (record.node, record.site, outcome.deviceName, record.state)
        (data, decision) = (outcome.data ?? [], outcome.decision ?? assigned?.decision)
        (input, output, seconds) = (outcome.input, outcome.output, outcome.actualSeconds)
        (flops, energyJoules, cost) = (outcome.flops, outcome.energyJoules, record.cost)
    }
}

extension RecordSheet.Totals {
    mutating func add(_ use: RecordSheet.Use) {
        jobs += 1
        seconds += use.seconds
        flops += use.flops ?? 0
        if let price = use.cost {
            cost = (cost ?? 0) + price
            jobsWithCost += 1
        }
        if let joules = use.energyJoules {
            energyJoules = (energyJoules ?? 0) + joules
            jobsWithEnergy += 1
        }
        sites[use.site ?? "not said", default: 0] += 1
        for data in use.data { self.data[data.name, default: 0] += 1 }
    }
}

extension LedgerHistory {
    func assignment(of record: LedgerRecord) -> LedgerRecord? {
        entries.last {
            $0.record.kind == .assigned && $0.record.job == record.job && $0.record.attempt == record.attempt
        }?
        .record
    }
}
