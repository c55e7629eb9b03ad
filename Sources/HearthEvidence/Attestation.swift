import Foundation
import HearthFleet
import HearthJSON
import HearthLedger

/// How something came to be, in the form that supply-chain tools verify: an in-toto statement about a job's output (or, where it has none, its
/// leaf), with SLSA's provenance.
///
/// - Source: in-toto Statement v1, SLSA Provenance v1.
public struct Attestation: Sendable {
    /// Canonical JSON.
    public let statement: Data

    struct Descriptor: Encodable {
        let name: String
        let digest: [String: String]
    }
    private struct Statement: Encodable {
        let _type = "https://in-toto.io/Statement/v1"
        let subject: [Descriptor]
        let predicateType = "https://slsa.dev/provenance/v1"
        let predicate: Predicate
    }
    private struct Predicate: Encodable {
        struct Build: Encodable {
            let buildType = "urn:hearth:job"
            let externalParameters: [String: String]
            let resolvedDependencies: [Descriptor]
        }
        struct Run: Encodable {
            struct Builder: Encodable { let id: String }
            struct Metadata: Encodable { let invocationId, startedOn, finishedOn: String }
            let builder: Builder
            let metadata: Metadata
        }
        let buildDefinition: Build
        let runDetails: Run
    }

    /// nil for a job that did not succeed, or of which there is no end.
    ///
    /// - Parameter job: its id.
    public init?(_ history: LedgerHistory, job: String, leaves: [Data]) throws {
        let steps = history.entries.filter { $0.record.job == job }
        guard let end = steps.last(where: { $0.record.state == .succeeded }), let outcome = end.record.outcome
        else { return nil }
        let begin = steps.last { $0.record.kind == .assigned && $0.record.attempt == end.record.attempt }
        let leaf = MerkleHash(leaf: leaves[end.index]).data.hexadecimal
        let subject = outcome.output.map { Descriptor(name: $0.path, digest: ["sha256": $0.sha256]) }
        let files = [outcome.model, outcome.input].compactMap(\.self)
        let labels = (outcome.data ?? []).compactMap { use in
            use.label.map { Descriptor(name: "hearth-label:\(use.name)", digest: ["sha256": $0]) }
        }
        func time(_ seconds: Double) -> String { Date(timeIntervalSince1970: seconds).formatted(.iso8601) }
        let predicate = Predicate(
            buildDefinition: .init(
                externalParameters: ["spec": "sha256:\(end.record.spec)", "job": "hearth://\(history.origin)/\(job)"],
                resolvedDependencies: files.map { Descriptor(name: $0.path, digest: ["sha256": $0.sha256]) } + labels),
            runDetails: .init(
                builder: .init(id: "hearth://\(history.origin)/node/\(end.record.node ?? "")"),
                metadata: .init(
                    invocationId: "leaf:\(end.index):\(leaf)", startedOn: time(begin?.record.at ?? end.record.at),
                    finishedOn: time(end.record.at))))
        let fallback = Descriptor(name: "hearth-leaf:\(end.index)", digest: ["sha256": leaf])
        statement = try CanonicalJSON.encode(Statement(subject: [subject ?? fallback], predicate: predicate))
    }

    static let payloadType = "application/vnd.in-toto+json"

    /// The statement in a signed envelope (DSSE), JSON.
    public func envelope(signedBy key: SignerKey) throws -> Data {
        try DSSEEnvelope(payload: statement, type: Self.payloadType, signedBy: key).json
    }
}
