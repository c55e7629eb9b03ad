import Foundation
import GRDB
import HearthFleet
import HearthPolicy
import HearthStore

extension CoordinatorStore {
    /// Files that jobs read and wrote, by contents, and which datasets a file is of or was made from.
    static let dataSchema = """
        CREATE TABLE files(
            node TEXT NOT NULL, path TEXT NOT NULL, sha256 TEXT NOT NULL, role TEXT NOT NULL, job TEXT NOT NULL,
            site TEXT, at REAL NOT NULL, PRIMARY KEY(node, path));
        CREATE INDEX files_by_contents ON files(sha256);
        CREATE TABLE reads(job TEXT NOT NULL, dataset TEXT, sha256 TEXT);
        CREATE INDEX reads_by_dataset ON reads(dataset);
        CREATE INDEX reads_by_contents ON reads(sha256);
        CREATE TABLE writes(job TEXT NOT NULL, sha256 TEXT NOT NULL);
        CREATE INDEX writes_by_job ON writes(job);
        """

    /// Remembers what a job of `node` read and wrote.
    static func remember(_ outcome: JobOutcome, ofJob id: String, on node: String, at time: Double, _ db: Database)
        throws
    {
        let site = try site(of: node, db)?.name
        for (role, file) in [("input", outcome.input), ("output", outcome.output)] {
            guard let file else { continue }
            // What a path holds now is what it was seen with last.
            try db.execute(
                sql: "INSERT OR REPLACE INTO files VALUES (?, ?, ?, ?, ?, ?, ?)",
                arguments: [node, file.path, file.sha256, role, id, site, time])
        }
        for use in outcome.data ?? [] {
            try db.execute(
                sql: "INSERT INTO reads VALUES (?, ?, ?)", arguments: [id, use.name, outcome.input?.sha256])
        }
        if outcome.data == nil, let input = outcome.input {
            try db.execute(sql: "INSERT INTO reads VALUES (?, NULL, ?)", arguments: [id, input.sha256])
        }
        if let output = outcome.output {
            try db.execute(sql: "INSERT INTO writes VALUES (?, ?)", arguments: [id, output.sha256])
        }
    }

    /// Where `name` is, and everything that was made from it: by jobs that read it, by their outputs that others read, and by labels that
    /// name it as a source.
    package func places(of name: String) async throws -> DataPlaces {
        let known = try labels.map { try $0.all() } ?? [:]
        guard known[name] != nil || labels == nil || FleetName.isValid(name) else {
            throw StoreError(kind: .notFound, message: "no dataset \(name.prefix(80))")
        }
        return try await database.read { db in
            let shards = Dictionary(
                (known[name]?.shards ?? []).map { ($0.sha256, $0.name) }, uniquingKeysWith: { first, _ in first })
            var (datasets, contents) = (Set([name]), Set(shards.keys))
            var (newDatasets, newContents) = (datasets, contents)
            while !newDatasets.isEmpty || !newContents.isEmpty {
                var jobs: Set<String> = []
                for dataset in newDatasets {
                    jobs.formUnion(
                        try String.fetchAll(db, sql: "SELECT job FROM reads WHERE dataset = ?", arguments: [dataset]))
                }
                for sha256 in newContents {
                    jobs.formUnion(
                        try String.fetchAll(db, sql: "SELECT job FROM reads WHERE sha256 = ?", arguments: [sha256]))
                }
                let written = try jobs.flatMap {
                    try String.fetchAll(db, sql: "SELECT sha256 FROM writes WHERE job = ?", arguments: [$0])
                }
                let derived = known.values.filter { label in
                    !label.derivedFrom.isDisjoint(with: newDatasets)
                        || label.shards.contains { newContents.contains($0.sha256) && label.name != name }
                }
                let labelled = derived.flatMap { $0.shards.map(\.sha256) }
                newContents = Set(written + labelled).subtracting(contents)
                newDatasets = Set(derived.map(\.name)).subtracting(datasets)
                contents.formUnion(newContents)
                datasets.formUnion(newDatasets)
            }
            var names: [String: String] = [:]
            for dataset in datasets.sorted() where dataset != name {
                for shard in known[dataset]?.shards ?? [] { names[shard.sha256] = dataset }
            }
            var copies: [DataPlaces.Copy] = []
            for sha256 in contents.sorted() {
                let rows = try Row.fetchAll(
                    db, sql: "SELECT * FROM files WHERE sha256 = ? ORDER BY node, path", arguments: [sha256])
                for row in rows {
                    copies.append(
                        DataPlaces.Copy(
                            shards[sha256] == nil ? .derived : .shard, name: shards[sha256] ?? names[sha256],
                            FileUse(path: row["path"], sha256: sha256), on: row["node"], site: row["site"],
                            job: row["job"], at: row["at"]))
                }
            }
            let seen = Set(copies.map(\.sha256))
            return DataPlaces(
                name: name, isLabelled: known[name] != nil,
                unseenShards: shards.filter { !seen.contains($0.key) }.map(\.value).sorted(),
                copies: copies.sorted { ($0.relation.rawValue, $0.at) > ($1.relation.rawValue, $1.at) })
        }
    }
}
