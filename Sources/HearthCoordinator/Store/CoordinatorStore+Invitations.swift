import GRDB
import HearthIdentity

extension CoordinatorStore {
    static let invitationSchema = """
        CREATE TABLE invitations(
            digest TEXT PRIMARY KEY, node TEXT NOT NULL, made_by TEXT NOT NULL, made_at REAL NOT NULL,
            expires_at REAL NOT NULL, used_at REAL);
        """

    /// Remembers that whoever has the secret of `digest` may join as `node`, once.
    func invite(_ node: String, digest: String, validSeconds: Double, by who: String) async throws {
        try await database.write { db in
            let now = Self.now()
            try db.execute(
                sql: "INSERT INTO invitations VALUES (?, ?, ?, ?, ?, NULL)",
                arguments: [digest, node, who, now, now + validSeconds])
        }
    }

    /// Uses up the invitation of `digest` for what `issue` makes for its node; where that throws, it stays good.
    ///
    /// - Returns: nil where there is none that is still good.
    func accept(
        digest: String, issue: @Sendable @escaping (String) throws -> String
    ) async throws -> (node: String, certificate: String)? {
        try await database.write { [bars] db in
            let now = Self.now()
            try db.execute(
                sql: "UPDATE invitations SET used_at = ? WHERE digest = ? AND used_at IS NULL AND expires_at > ?",
                arguments: [now, digest, now])
            guard db.changesCount == 1 else { return nil }
            let node = try String.fetchOne(
                db, sql: "SELECT node FROM invitations WHERE digest = ?", arguments: [digest])!
            let certificate = try issue(node)
            if let joined = PeerCertificate(pem: certificate) {
                try bars.joined(node, key: joined.keyDigest, db)
            }
            return (node, certificate)
        }
    }
}
