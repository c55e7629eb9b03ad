import Crypto
import Foundation
import HearthFleet
import HearthJSON

/// A job's step as others' lineage tools read it.
///
/// - Source: OpenLineage 2-0-2, RunEvent.
public struct OpenLineageEvent: Sendable, Encodable {
    struct Run: Encodable { let runId: String }
    struct Job: Encodable { let namespace, name: String }
    struct Dataset: Encodable { let namespace, name: String }

    let eventTime: String
    let eventType: String
    let run: Run
    let job: Job
    let inputs, outputs: [Dataset]
    let producer: String
    let schemaURL: String

    /// nil for a step that is none of a run's: a job that was submitted.
    public init?(_ entry: LedgerHistory.Entry, origin: String) {
        let record = entry.record
        switch (record.kind, record.state) {
        case (.submitted, _): return nil
        case (.assigned, _): eventType = "START"
        // Given back before it began: the attempt goes on elsewhere.
        case (.returned, _): eventType = "OTHER"
        case (.finished, .cancelled): eventType = "ABORT"
        case (.finished, .succeeded): eventType = "COMPLETE"
        case (.finished, _): eventType = "FAIL"
        }
        eventTime = Date(timeIntervalSince1970: record.at).formatted(
            Date.ISO8601FormatStyle(includingFractionalSeconds: true))
        let namespace = "hearth://\(origin)"
        run = Run(runId: Self.runID("\(namespace)/\(record.job)/\(record.attempt)"))
        job = Job(namespace: namespace, name: record.job)
        let place = "hearth://\(origin)/\(record.node ?? "")"
        let outcome = record.outcome
        inputs =
            (outcome?.data ?? []).map { Dataset(namespace: namespace, name: $0.name) }
            + [outcome?.input, outcome?.model].compactMap(\.self).map { Dataset(namespace: place, name: $0.path) }
        outputs = [outcome?.output].compactMap(\.self).map { Dataset(namespace: place, name: $0.path) }
        producer = "urn:hearth:\(HearthVersion.current)"
        schemaURL = "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent"
    }

    /// The same for the same attempt, in every export.
    ///
    /// - Source: RFC 9562, a name-based identifier of version 8: the first bits of a SHA-256.
    static func runID(_ name: String) -> String {
        var bytes = Array(SHA256.hash(data: Data(name.utf8)).prefix(16))
        bytes[6] = bytes[6] & 0x0f | 0x80
        bytes[8] = bytes[8] & 0x3f | 0x80
        let digits = bytes.hexadecimal
        var (groups, rest) = ([String](), digits[...])
        for count in [8, 4, 4, 4, 12] {
            groups.append(String(rest.prefix(count)))
            rest = rest.dropFirst(count)
        }
        return groups.joined(separator: "-")
    }
}
