import Crypto
import Foundation
import HearthFleet
import HearthPolicy

/// Whether this node lets a job read what it names: asked before anything is opened, whoever sent the job.
struct Admission {
    /// nil on a machine that has no admission.yaml: data that is named is then refused.
    let config: AdmissionConfig?

    /// - Parameter path: the settings; nil means /etc/hearth/admission.yaml, where there is one.
    init(path: String?) throws { config = try AdmissionConfig.read(path) }

    struct Admitted {
        var data: [DataUse]?
        var decision: String?
    }

    /// - Throws: `CommandFailure` with 77 and the rule that forbids it.
    func admit(_ spec: JobSpec, now: Date = Date()) throws -> Admitted {
        guard let config else {
            guard let data = spec.data else { return Admitted() }
            throw refusal(
                "\(data.joined(separator: ", ")): this machine has no \(AdmissionConfig.standardPath): what it may read is not known"
            )
        }
        // A file of requests is data too, named or not.
        let inputs = [spec.input].compactMap { $0 }
        let names = spec.data ?? (inputs.isEmpty ? [] : ["the input file"])
        if names.isEmpty { return Admitted(decision: "no data is read") }
        let known = try knownData(spec, config)
        let decision = Policy.decide(
            known, at: config.site, for: spec.purpose ?? .inference, now: Int(now.timeIntervalSince1970))
        guard decision.isAllowed else { throw refusal(decision.reason) }
        if spec.data != nil { for input in inputs { try check(input, known) } }
        return Admitted(
            data: known.map { DataUse(name: $0.name, version: $0.label?.version, tier: $0.label?.tier.rawValue) },
            decision: decision.reason)
    }

    private func knownData(_ spec: JobSpec, _ config: AdmissionConfig) throws -> [KnownData] {
        guard let names = spec.data else { return [KnownData(name: "the input file", label: nil)] }
        do {
            let folder = try LabelFolder(config.labels, keyFile: config.trusted)
            return names.map { folder.known($0) }
        } catch { throw refusal("\(error)") }
    }

    /// A file that a job names has to be a shard of the data that it names, by its contents. Allowed by now: it may be opened.
    private func check(_ input: String, _ data: [KnownData]) throws {
        let labelled = data.compactMap(\.label)
        // Unlabelled data has no shards to be held against.
        if labelled.count < data.count { return }
        let name = URL(fileURLWithPath: input).lastPathComponent
        let shards = labelled.flatMap(\.shards).filter { $0.name == name }
        guard let handle = FileHandle(forReadingAtPath: input) else { return }
        defer { try? handle.close() }
        var hash = SHA256()
        while let piece = try handle.read(upToCount: 1 << 22), !piece.isEmpty { hash.update(data: piece) }
        let digest = hash.finalize().map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
        guard shards.contains(where: { $0.sha256 == digest }) else {
            throw refusal("\(input): is no shard of \(labelled.map(\.name).joined(separator: ", "))")
        }
    }

    private func refusal(_ reason: String) -> CommandFailure {
        CommandFailure(.refusedByPolicy, "refused: \(reason)")
    }
}
