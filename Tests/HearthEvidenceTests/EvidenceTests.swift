import Foundation
import HearthEvidence
import HearthFleet
import HearthJSON
import HearthLedger
import HearthPolicy
import Testing

@Suite struct EvidenceTests {
    private let key = SignerKey(name: "log.example")

    private func digest(_ letter: String) -> String { String(repeating: letter, count: 64) }

    /// job-1 read letters on n1 and wrote an answer; job-2 failed on n2; job-3 used another model.
    private func copy() throws -> LedgerCopy {
        var spec = JobSpec(kind: .generate, name: "s", device: "cpu")
        (spec.data, spec.purpose, spec.input) = (["letters"], .inference, "/in")
        var records: [LedgerRecord] = []
        func add(_ id: String, _ node: String, _ outcome: JobOutcome, _ state: JobState, at: Double) throws {
            var job = JobRecord(id: id, spec: spec, state: state, attempt: 1, submittedAt: at)
            records.append(try LedgerRecord(.submitted, of: job, at: at))
            (job.node, job.outcome, job.cost) = (node, outcome, 0.5)
            var assigned = try LedgerRecord(.assigned, of: job, at: at + 1)
            (assigned.site, assigned.decision) = ("hall", "the label of letters allows it")
            records.append(assigned)
            var finished = try LedgerRecord(.finished, of: job, at: at + 3)
            finished.site = "hall"
            records.append(finished)
        }
        var outcome = JobOutcome(exitCode: 0, actualSeconds: 2)
        outcome.model = FileUse(path: "/m<1>.gguf", sha256: digest("a"))
        outcome.input = FileUse(path: "/in", sha256: digest("b"))
        outcome.output = FileUse(path: "/out", sha256: digest("c"))
        outcome.data = [DataUse(name: "letters", version: 3, tier: "secret", label: digest("d"))]
        (outcome.flops, outcome.energyJoules) = (3e12, 40)
        try add("job-1", "n1", outcome, .succeeded, at: 1000)
        var failed = JobOutcome(exitCode: 69, message: "lost", actualSeconds: 1)
        failed.model = outcome.model
        try add("job-2", "n2", failed, .failed, at: 2000)
        outcome.model = FileUse(path: "/other.gguf", sha256: digest("e"))
        try add("job-3", "n1", outcome, .succeeded, at: 3000)
        let leaves = try records.map { try CanonicalJSON.encode($0) }
        var tree = MerkleTree()
        for leaf in leaves { tree.append(MerkleHash(leaf: leaf)) }
        let checkpoint = Checkpoint(origin: key.verifier.name, size: leaves.count, root: tree.root(size: leaves.count))
        var note = try SignedNote(text: checkpoint.text)
        note.add(try key.sign(checkpoint.text, at: 0))
        return try LedgerCopy(leaves: leaves, note: note)
    }

    @Test func sheetsAnswerForOneModel() throws {
        let history = try LedgerHistory(try copy())
        #expect(RecordSheet.models(history).map(\.jobs) == [2, 1])
        let sheet = try #require(RecordSheet(history, model: "aaaa"))
        #expect(sheet.uses.map(\.job) == ["job-1", "job-2"] && sheet.uses.map(\.leaf) == [2, 5])
        #expect(
            sheet.totals.jobs == 2 && sheet.totals.seconds == 3 && sheet.totals.flops == 3e12 && sheet.totals.cost == 1)
        #expect(sheet.totals.energyJoules == 40 && sheet.totals.jobsWithEnergy == 1)
        #expect(sheet.totals.sites == ["hall": 2] && sheet.totals.data == ["letters": 1])
        #expect(sheet.uses[1].decision == "the label of letters allows it" && sheet.uses[0].purpose == .inference)
        // No model begins so, or several do.
        #expect(RecordSheet(history, model: "ff") == nil && RecordSheet(history, model: "") == nil)
        let html = sheet.html
        #expect(html.contains("/m&lt;1&gt;.gguf") && !html.contains("/m<1>"))
        #expect(html.contains("letters v3 (secret)") && html.contains("40 J measured in 1 of 2 jobs"))
        #expect(try JSONDecoder().decode(RecordSheet.self, from: try JSONEncoder().encode(sheet)).uses.count == 2)
    }

    @Test func lineageHasAnEventForEachStepOfARun() throws {
        let history = try LedgerHistory(try copy())
        let events = try history.entries.compactMap { OpenLineageEvent($0, origin: history.origin) }
            .map { try JSONValue(try JSONEncoder().encode($0)) }
        #expect(events.map { $0["eventType"]?.string } == ["START", "COMPLETE", "START", "FAIL", "START", "COMPLETE"])
        // What RunEvent requires.
        for event in events {
            for field in ["eventTime", "producer", "schemaURL"] { #expect(event[field]?.string?.isEmpty == false) }
            #expect(UUID(uuidString: event["run"]?["runId"]?.string ?? "") != nil)
            #expect(event["job"]?["namespace"]?.string == "hearth://log.example")
        }
        #expect(events[0]["run"] == events[1]["run"] && events[0]["run"] != events[2]["run"])
        #expect(events[1]["inputs"]?.array?.map { $0["name"]?.string } == ["letters", "/in", "/m<1>.gguf"])
        #expect(events[1]["outputs"]?.array?.map { $0["name"]?.string } == ["/out"])
        #expect(events[1]["eventTime"]?.string == "1970-01-01T00:16:43.000Z")
    }

    @Test func attestationsAreOfTheOutput() throws {
        let copy = try copy()
        let history = try LedgerHistory(copy)
        let attestation = try #require(try Attestation(history, job: "job-1", leaves: copy.leaves))
        let statement = try JSONValue(attestation.statement)
        #expect(statement["_type"]?.string == "https://in-toto.io/Statement/v1")
        let subject = try #require(statement["subject"]?.array?.first)
        #expect(subject["name"]?.string == "/out" && subject["digest"]?["sha256"]?.string == digest("c"))
        let definition = try #require(statement["predicate"]?["buildDefinition"])
        let digests = definition["resolvedDependencies"]?.array?.map { $0["digest"]?["sha256"]?.string }
        #expect(digests == [digest("a"), digest("b"), digest("d")])
        #expect(try Attestation(history, job: "job-2", leaves: copy.leaves) == nil)

        let signer = SignerKey(name: "k")
        let envelope = try DSSEEnvelope(parsing: try attestation.envelope(signedBy: signer))
        #expect(envelope.isSigned(by: signer.verifier) && envelope.payload == attestation.statement)
        #expect(!envelope.isSigned(by: SignerKey(name: "k").verifier))
        let text = String(decoding: try envelope.json, as: UTF8.self)
        let changed = try DSSEEnvelope(parsing: Data(text.replacing("in-toto+json", with: "in-toto+jsom").utf8))
        #expect(!changed.isSigned(by: signer.verifier))
        #expect(throws: SignedNote.Problem.self) { try DSSEEnvelope(parsing: Data("{}".utf8)) }
    }

    /// - Source: DSSE's protocol.md, its example.
    @Test func envelopesSignWhatTheStandardSays() {
        let signed = DSSEEnvelope.signed(Data("hello world".utf8), "http://example.com/HelloWorld")
        #expect(String(decoding: signed, as: UTF8.self) == "DSSEv1 29 http://example.com/HelloWorld 11 hello world")
    }

    @Test func leavesOfOthersAreNamed() throws {
        let leaf = Data("{\"a\":1}".utf8)
        var tree = MerkleTree()
        tree.append(MerkleHash(leaf: leaf))
        let note = try SignedNote(text: Checkpoint(origin: "o", size: 1, root: tree.root(size: 1)).text)
        let copy = try LedgerCopy(leaves: [leaf], note: note)
        #expect(throws: SignedNote.Problem.self) { try LedgerHistory(copy) }
    }
}
