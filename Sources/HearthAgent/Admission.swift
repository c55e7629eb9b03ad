import Foundation
import HearthFleet
import HearthPolicy

/// Whether this node lets a job read what it names: asked before the job opens anything, whoever sent it.
package struct Admission: Sendable {
    /// What a job may not be, and by which rule.
    package struct Refusal: Error, Sendable, CustomStringConvertible {
        package let description: String
    }

    /// nil on a machine that has no admission.yaml: data that is named is refused there, and nothing is held to labels.
    private let config: AdmissionConfig?

    /// - Parameter path: the settings; nil means /etc/hearth/admission.yaml, where there is one.
    package init(path: String?) throws { config = try AdmissionConfig.read(path) }

    package struct Admitted {
        /// As it came, but for the input: the file that was looked at, whatever its path leads to later.
        package var spec: JobSpec
        package var data: [DataUse]?
        package var decision: String?
        /// When the first label that allows it ends, seconds since 1970.
        package var expiresAt: Int?
        /// Keeps the input open.
        package var input: FileHandle?
        /// SHA-256 of it, where it was looked at.
        package var inputDigest: String?
    }

    /// - Throws: `Refusal`; `FileDigest.Problem` for an input that cannot be read.
    package func admit(_ spec: JobSpec, now: Date = Date()) throws -> Admitted {
        var admitted = Admitted(spec: spec)
        guard let config else {
            guard let data = spec.data else { return admitted }
            throw refusal(
                "\(data.joined(separator: ", ")): this machine has no \(AdmissionConfig.standardPath): what it may read is not known"
            )
        }
        if spec.data == nil, spec.input == nil {
            admitted.decision = "no data is read"
            return admitted
        }
        let labels: LabelFolder
        do { labels = try LabelFolder(config.labels, keyFile: config.trusted) } catch { throw refusal("\(error)") }
        let named = spec.data.map { $0.map { labels.known($0) } } ?? []
        func decide(_ data: [KnownData]) throws {
            let decision = Policy.decide(
                data, at: config.site, for: spec.readingPurpose, now: Int(now.timeIntervalSince1970))
            guard decision.isAllowed else { throw refusal(decision.reason) }
            admitted.decision = decision.reason
        }
        // First by name: what is forbidden is not opened, not even to be recognised.
        try decide(named)
        var data = named
        if let input = spec.input {
            let handle = try FileDigest.open(input)
            let digest = try FileDigest.sha256(handle, input).digest
            data += try unnamed(digest, input, named, labels)
            try decide(data)
            admitted.inputDigest = digest
            (admitted.input, admitted.spec.input) = (handle, "/proc/self/fd/\(handle.fileDescriptor)")
        }
        admitted.data = data.map {
            DataUse(name: $0.name, version: $0.label?.version, tier: $0.label?.tier.rawValue, label: $0.label?.sha256)
        }
        admitted.expiresAt = data.compactMap { $0.label?.expiresAt }.min()
        return admitted
    }

    /// What an input is beyond what the job says: every dataset that it is a shard of, or data without a label.
    private func unnamed(
        _ digest: String, _ input: String, _ named: [KnownData], _ labels: LabelFolder
    ) throws -> [KnownData] {
        let owners: [KnownData]
        do { owners = try labels.owners(ofShard: digest) } catch {
            throw refusal("labels cannot be read: \(error.localizedDescription)")
        }
        let known = Set(named.map(\.name))
        if owners.isEmpty, !named.isEmpty, named.allSatisfy({ $0.label != nil }) {
            throw refusal("\(input): is no shard of \(known.sorted().joined(separator: ", "))")
        }
        return owners.isEmpty
            ? [.unlabelledInput] : owners.filter { !known.contains($0.name) }
    }

    private func refusal(_ reason: String) -> Refusal { Refusal(description: "refused: \(reason)") }
}
