import Foundation
import HearthLedger

/// A folder of signed labels and releases, `NAME.label` and `NAME.release`, and the keys that are trusted with them.
public struct LabelFolder: Sendable {
    private let folder: URL
    private let keys: [VerifierKey]

    /// - Parameter keyFile: a verifier's key a line; lines that begin with `#` are comments.
    /// - Throws: `SignedRecord.Problem` naming the file and line, or the folder that cannot be looked into: what is not seen is not
    ///   unlabelled.
    public init(_ folder: String, keyFile: String) throws(SignedRecord.Problem) {
        self.folder = URL(fileURLWithPath: folder, isDirectory: true)
        guard (try? FileManager.default.contentsOfDirectory(atPath: folder)) != nil else {
            throw SignedRecord.Problem(description: "\(folder): is no folder that can be read")
        }
        guard let text = try? String(contentsOfFile: keyFile, encoding: .utf8) else {
            throw SignedRecord.Problem(description: "\(keyFile): cannot be read")
        }
        var keys: [VerifierKey] = []
        for (number, line) in text.split(separator: "\n", omittingEmptySubsequences: false).enumerated() {
            if line.allSatisfy(\.isWhitespace) || line.hasPrefix("#") { continue }
            guard let key = VerifierKey(String(line)), key.kind == .author else {
                throw SignedRecord.Problem(description: "\(keyFile):\(number + 1): is no verifier's key of an author")
            }
            keys.append(key)
        }
        self.keys = keys
    }

    public func trusts(_ key: VerifierKey) -> Bool { keys.contains(key) }

    /// The datasets that have a file with these contents.
    ///
    /// - Parameter sha256: in hexadecimal digits.
    public func owners(ofShard sha256: String) throws -> [KnownData] {
        try names().map { known($0) }.filter { $0.label?.shards.contains { $0.sha256 == sha256 } ?? false }
    }

    /// Names of everything that has a label.
    public func names() throws -> [String] {
        try FileManager.default.contentsOfDirectory(atPath: folder.path).filter { $0.hasSuffix(".label") }
            .map { String($0.dropLast(".label".count)) }.sorted()
    }

    /// What is known of dataset `name`: nothing where there is no label, and why not where one cannot be believed.
    public func known(_ name: String) -> KnownData {
        var walk: [String: KnownData?] = [:]
        return known(name, &walk)
    }

    /// - Parameter walk: what was looked up on the way, nil while that is going on.
    private func known(_ name: String, _ walk: inout [String: KnownData?]) -> KnownData {
        if let seen = walk[name] {
            return seen ?? KnownData(name: name, label: nil, problem: "was made from itself")
        }
        if walk.count >= 1000 { return KnownData(name: name, label: nil, problem: "is one of more than 1000 sources") }
        walk[name] = .some(nil)
        let found = lookUp(name, &walk)
        walk[name] = found
        return found
    }

    private func lookUp(_ name: String, _ walk: inout [String: KnownData?]) -> KnownData {
        func unbelieved(_ problem: String) -> KnownData { KnownData(name: name, label: nil, problem: problem) }
        // A name becomes a file's.
        guard DatasetLabel(name: name, tier: .secret, purposes: []).problem == nil else {
            return unbelieved("is no dataset's name")
        }
        do {
            guard let label: DatasetLabel = try read(name, "label") else { return KnownData(name: name, label: nil) }
            if label.name != name { return unbelieved("its label is of '\(label.name)'") }
            if let problem = label.problem { return unbelieved("its label is malformed: \(problem)") }
            let release: Release? = try read(name, "release")
            // A source whose own label is not sound is not known.
            var (sources, ancestors): ([DatasetLabel], [DatasetLabel]) = ([], [])
            for name in label.derivedFrom.sorted() {
                let source = known(name, &walk)
                guard let label = source.label, Policy.derivationProblem(source) == nil else { continue }
                sources.append(label)
                // What was released is no longer what it was made from.
                if !Policy.isLowered(source) { ancestors += source.sources + source.ancestors }
            }
            return KnownData(name: name, label: label, sources: sources, ancestors: ancestors, release: release)
        } catch { return unbelieved("\(error)") }
    }

    private func read<Value: Codable>(_ name: String, _ ending: String) throws -> Value? {
        let file = folder.appending(path: "\(name).\(ending)")
        var status = stat()
        // Only what is not there is no label; a link to nowhere is one that cannot be read.
        if lstat(file.path, &status) != 0, errno == ENOENT { return nil }
        guard stat(file.path, &status) == 0, status.st_size <= 64 << 20,
            let text = try? String(contentsOf: file, encoding: .utf8)
        else { throw SignedRecord.Problem(description: "its \(ending) cannot be read") }
        do {
            return try SignedRecord.open(Value.self, text, signedBy: keys)
        } catch { throw SignedRecord.Problem(description: "its \(ending): \(error)") }
    }
}
