import Foundation
import GRDB
import HearthCoordinator
import HearthFleet
import HearthJSON
import HearthLedger
import Testing

@Suite struct LedgerTests {
    private func finishedJob(_ service: TestService) async throws -> String {
        try await TestService.join(TestService.registration("n1"), service.store)
        let id = try await service.store.submit(JobSpec(kind: .probe, name: "p", device: "cpu"), key: nil).id
        _ = try await service.store.poll("n1", PollRequest(waitSeconds: 0, capacity: 1, spooledReports: 0))
        let outcome = JobOutcome(exitCode: 0, actualSeconds: 1.5)
        let reports = [
            Report(seq: 1, at: 1, body: .jobStarted(job: id, attempt: 1)),
            Report(seq: 2, at: 2, body: .jobFinished(job: id, attempt: 1, outcome: outcome)),
        ]
        // What is sent again is recorded once.
        for _ in 0..<3 { _ = try await service.store.store(ReportBatch(bootID: "b1", reports: reports), from: "n1") }
        return id
    }

    private func copy(_ service: TestService) async throws -> LedgerCopy {
        let leaves = try await service.store.leaves(from: 0, limit: 100)
        return try LedgerCopy(leaves: leaves, note: try await service.ledger.checkpoint())
    }

    @Test func everyStepOfAJobIsOneLeafOfAChain() async throws {
        let service = try TestService()
        let id = try await finishedJob(service)
        let waiting = try await service.store.submit(JobSpec(kind: .probe, name: "q", device: "cpu"), key: "k").id
        _ = try await service.store.submit(JobSpec(kind: .probe, name: "q", device: "cpu"), key: "k")
        for _ in 0..<2 { _ = try await service.store.cancel(waiting) }
        let copy = try await copy(service)
        try copy.verify(signedBy: service.ledger.verifier)
        let leaves = try copy.leaves.map { try JSONValue($0) }
        let kinds = leaves.map { "\($0["job"]!.string!) \($0["kind"]!.string!)" }
        #expect(
            kinds == [
                "\(id) submitted", "\(id) assigned", "\(id) finished", "\(waiting) submitted", "\(waiting) finished",
            ])
        #expect(leaves[0]["previous"] == nil && leaves[3]["previous"] == nil)
        for (leaf, before) in [(1, 0), (2, 1), (4, 3)] {
            let hash = MerkleHash(leaf: copy.leaves[before]).data.base64EncodedString()
            #expect(leaves[leaf]["previous"]?.string == hash)
        }
        #expect(leaves[2]["outcome"]?["actualSeconds"] == .number("1.5") && leaves[2]["state"]?.string == "succeeded")
        #expect(leaves[2]["node"]?.string == "n1" && leaves[0]["spec"]?.string?.count == 64)
        #expect(
            try copy.leaves.allSatisfy { try CanonicalJSON.text(JSONValue($0)) == String(decoding: $0, as: UTF8.self) })
    }

    @Test func proofsHoldAndGrow() async throws {
        let service = try TestService()
        _ = try await finishedJob(service)
        let leaf = try await service.store.leaves(from: 1, limit: 1)[0]
        let proof = try #require(try await service.ledger.proof(of: 1))
        let read = try LedgerProof(parsing: "\(proof)")
        #expect(try read == proof && read.verify(leaf, signedBy: service.ledger.verifier).size == 3)
        #expect(throws: SignedNote.Problem.self) { try read.verify(leaf + [1], signedBy: service.ledger.verifier) }
        #expect(throws: SignedNote.Problem.self) {
            try read.verify(leaf, signedBy: SignerKey(name: "test/hearth").verifier)
        }
        let older = try await service.ledger.checkpoint()
        _ = try await service.store.submit(JobSpec(kind: .probe, name: "q", device: "cpu"), key: nil)
        let copy = try await copy(service)
        try copy.verify(signedBy: service.ledger.verifier, older: older)
        let growth = try #require(try await service.ledger.consistency(old: 3))
        let (before, after) = (try Checkpoint(older), try Checkpoint(SignedNote(parsing: growth.checkpoint)))
        #expect(
            MerkleProof.verifyConsistency(
                old: before.size, before.root, size: after.size, after.root, proof: growth.hashes))
    }

    /// The database is the operator's: SQLite keeps the table, and what is done to the file shows.
    @Test func theTableOnlyGrows() async throws {
        let service = try TestService()
        _ = try await finishedJob(service)
        let file = try DatabaseQueue(path: "\(service.folder)/coordinator.sqlite")
        for statement in [
            "DELETE FROM ledger", "UPDATE ledger SET leaf = x'00' WHERE number = 1",
            "INSERT OR REPLACE INTO ledger VALUES (0, 'j', x'00', x'00')",
            "INSERT INTO ledger VALUES (7, 'j', x'00', x'00')",
        ] {
            await #expect(throws: DatabaseError.self, "\(statement)") {
                try await file.write { try $0.execute(sql: statement) }
            }
        }
    }

    @Test(arguments: [
        "UPDATE ledger SET leaf = leaf || x'20' WHERE number = 1", "DELETE FROM ledger WHERE number = 2",
        "DELETE FROM ledger WHERE number = 1", "UPDATE ledger SET number = 3 WHERE number = 2",
    ]) func changedDatabasesDoNotStart(change: String) async throws {
        let service = try TestService()
        _ = try await finishedJob(service)
        func start() async throws {
            try await Ledger(store: service.store, folder: service.folder, name: "test").start()
        }
        // Nobody has asked for a checkpoint: the first start signs.
        try await start()
        try await start()
        let file = try DatabaseQueue(path: "\(service.folder)/coordinator.sqlite")
        try await file.write {
            try $0.execute(
                sql: "DROP TRIGGER ledger_grows; DROP TRIGGER ledger_keeps; DROP TRIGGER ledger_stays; \(change)")
        }
        await #expect(throws: ConfigError.self) { try await start() }
    }

    @Test func keysAndCheckpointsThatAreNotThereAreNamed() async throws {
        let service = try TestService()
        _ = try await finishedJob(service)
        func start() async throws {
            try await Ledger(store: service.store, folder: service.folder, name: "test").start()
        }
        try await start()
        let (key, signed) = ("\(service.folder)/ledger.key", "\(service.folder)/ledger.checkpoint")
        try FileManager.default.setAttributes([.posixPermissions: 0o644], ofItemAtPath: key)
        await #expect(throws: ConfigError.self) { try await start() }
        try FileManager.default.removeItem(atPath: key)
        await #expect(throws: ConfigError.self) { try await start() }
        #expect(!FileManager.default.fileExists(atPath: key))
        try Data("no checkpoint".utf8).write(to: URL(fileURLWithPath: signed))
        await #expect(throws: ConfigError.self) { try await start() }
    }

    /// A job that its node never began goes back, and that is a step too.
    @Test func whatIsTakenBackIsRecorded() async throws {
        let service = try TestService()
        try await TestService.join(TestService.registration("n1"), service.store)
        _ = try await service.store.submit(JobSpec(kind: .probe, name: "p", device: "cpu"), key: nil)
        _ = try await service.store.poll("n1", PollRequest(waitSeconds: 0, capacity: 1, spooledReports: 0))
        _ = try await service.store.register(TestService.registration("n1", boot: "b2"))
        let kinds = try await service.store.leaves(from: 0, limit: 9).map { try JSONValue($0)["kind"]?.string }
        #expect(kinds == ["submitted", "assigned", "returned"])
        // A page ends at so many bytes, but for its first leaf.
        #expect(try await service.store.leaves(from: 0, limit: 9, byteCount: 1).count == 1)
    }
}
