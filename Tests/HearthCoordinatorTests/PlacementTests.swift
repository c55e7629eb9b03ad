import Foundation
import HearthCoordinator
import HearthFleet
import HearthJSON
import HearthLedger
import HearthPolicy
import Support
import Testing

/// Where the coordinator sends jobs that read labelled data.
@Suite struct PlacementTests {
    private static let sites = [
        Site(name: "home", kind: .onprem, country: "DE"), Site(name: "branch", kind: .edge, country: "FR"),
        Site(name: "cloud-1", kind: .cloud, country: "IE"),
    ]

    private func labels(_ all: [DatasetLabel], in folder: String, _ key: SignerKey) throws -> LabelFolder {
        for label in all {
            let note = try SignedRecord.sign(label, with: key)
            try Data("\(note)".utf8).write(to: URL(fileURLWithPath: "\(folder)/\(label.name).label"))
        }
        try Data("\(key.verifier)\n".utf8).write(to: URL(fileURLWithPath: "\(folder)/trusted"))
        return try LabelFolder(folder, keyFile: "\(folder)/trusted")
    }

    private func store(_ labels: LabelFolder?) async throws -> CoordinatorStore {
        let store = try CoordinatorStore(folder: try TestPaths.temporaryFolder(), labels: labels)
        for site in Self.sites {
            try await TestService.join(
                NodeRegistration(
                    node: site.name, bootID: "b", version: "1", devices: [TestService.device], site: site), store)
        }
        try await TestService.join(
            NodeRegistration(node: "unsaid", bootID: "b", version: "1", devices: [TestService.device]), store)
        return store
    }

    private func spec(_ data: [String]?, _ purpose: Purpose = .training) -> JobSpec {
        var spec = JobSpec(kind: .probe, name: "p", device: "cpu")
        (spec.data, spec.purpose) = (data, purpose)
        return spec
    }

    /// Which nodes may have the job. One of them gets it, whichever asks.
    private func takers(_ spec: JobSpec, _ store: CoordinatorStore) async throws -> [String] {
        let id = try await store.submit(spec, key: nil).id
        let decision = try await store.placement(of: id)
        let possible = decision.candidates.filter { $0.refusal == nil }.map(\.node)
        for node in Self.sites.map(\.name) + ["unsaid"] {
            let got = try await store.poll(node, PollRequest(waitSeconds: 0, capacity: 1, spooledReports: 0))
            #expect(got.assignments.isEmpty == (node != decision.chosen))
            guard node == decision.chosen else { continue }
            let outcome = JobOutcome(exitCode: 0, actualSeconds: 1)
            let seq = 1000 * Int64(id.dropFirst(4))!
            let report = Report(seq: seq, at: 1, body: .jobFinished(job: id, attempt: 1, outcome: outcome))
            _ = try await store.store(ReportBatch(bootID: "b", reports: [report]), from: node)
            #expect(try await store.placement(of: id).chosen == node)
        }
        _ = try await store.cancel(id)
        let order = Self.sites.map(\.name) + ["unsaid"]
        return order.filter(possible.contains)
    }

    @Test func jobsGoWhereTheirDataMay() async throws {
        let folder = try TestPaths.temporaryFolder()
        let key = SignerKey(name: "labels")
        let known = try labels(
            [
                DatasetLabel(name: "open", tier: .public, purposes: [.training]),
                DatasetLabel(name: "people", tier: .personal, purposes: [.training]),
                DatasetLabel(name: "plans", tier: .secret, purposes: [.training]),
                DatasetLabel(name: "named", tier: .internal, sites: ["cloud-1"], purposes: [.training]),
            ], in: folder, key)
        let store = try await store(known)
        for (data, expected) in [
            (nil, "home branch cloud-1 unsaid"), (["open"], "home branch cloud-1"), (["people"], "home branch"),
            (["plans"], "home"), (["named"], "cloud-1"), (["open", "plans"], "home"), (["named", "plans"], ""),
            (["unlabelled"], "home"),
        ] as [([String]?, String)] {
            #expect(try await takers(spec(data), store).joined(separator: " ") == expected, "\(data ?? [])")
        }
        #expect(try await takers(spec(["open"], .inference), store).isEmpty)
        var batch = JobSpec(kind: .generate, name: "b", device: "cpu")
        (batch.model, batch.input, batch.output) = ("/m.gguf", "/in.jsonl", "/out.jsonl")
        #expect(try await takers(batch, store) == ["home"])

        // What waits says why, and the ledger by which rule a node got what.
        let id = try await store.submit(spec(["named", "plans"]), key: nil).id
        let reason = try #require(try await store.job(id).waitingFor)
        for part in [
            "no node may take it", "home named: may not be at home", "cloud-1 plans: is secret", "unsaid has not said",
        ] {
            #expect(reason.contains(part), "\(reason)")
        }
        let leaves = try await store.leaves(from: 0, limit: 1000).map { try JSONValue($0) }
        let decisions = Set(leaves.compactMap { $0["decision"]?.string })
        #expect(decisions.contains("the label of open allows it; the label of plans allows it"))
        #expect(
            decisions.contains("unlabelled has no label and stays on-prem") && decisions.contains("no data is read"))

        // A label that somebody changed is no label.
        let file = URL(fileURLWithPath: "\(folder)/plans.label")
        let text = try String(contentsOf: file, encoding: .utf8)
        try Data(text.replacingOccurrences(of: "secret", with: "public").utf8).write(to: file)
        // Labels are read again after moments.
        try await Task.sleep(for: .seconds(2.1))
        #expect(try await takers(spec(["plans"]), store).isEmpty)
    }

    /// letters was read by job-1, whose output job-2 read; topics is labelled as made from letters; nothing is known of a third.
    @Test func placesFollowWhatWasMade() async throws {
        let folder = try TestPaths.temporaryFolder()
        func digest(_ letter: String) -> String { String(repeating: letter, count: 64) }
        let known = try labels(
            [
                DatasetLabel(
                    name: "letters", tier: .secret, purposes: [.inference],
                    shards: [
                        .init(name: "a", sha256: digest("a"), byteCount: 1),
                        .init(name: "b", sha256: digest("b"), byteCount: 1),
                    ]),
                DatasetLabel(
                    name: "topics", tier: .secret, purposes: [.inference],
                    shards: [.init(name: "t", sha256: digest("7"), byteCount: 1)], derivedFrom: ["letters"]),
                DatasetLabel(name: "other", tier: .public, purposes: [.inference]),
            ], in: folder, SignerKey(name: "labels"))
        let store = try await store(known)
        var seq = Int64(0)
        func run(_ data: [String]?, _ input: String, _ output: String?, path: String) async throws {
            let id = try await store.submit(spec(data, .inference), key: nil).id
            let node = try #require(try await store.placement(of: id).chosen)
            _ = try await store.poll(node, PollRequest(waitSeconds: 0, capacity: 9, spooledReports: 0))
            var outcome = JobOutcome(exitCode: 0, actualSeconds: 1)
            outcome.data = data?.map { DataUse(name: $0, version: 1, tier: nil, label: nil) }
            outcome.input = FileUse(path: "/in/\(path)", sha256: digest(input))
            outcome.output = output.map { FileUse(path: "/out/\(path)", sha256: digest($0)) }
            seq += 1
            let report = Report(seq: seq, at: Double(seq), body: .jobFinished(job: id, attempt: 1, outcome: outcome))
            _ = try await store.store(ReportBatch(bootID: "b", reports: [report]), from: node)
        }
        try await run(["letters"], "a", "c", path: "1")
        try await run(nil, "c", "d", path: "2")
        try await run(["topics"], "7", "e", path: "3")
        try await run(["other"], "f", "9", path: "4")
        let places = try await store.places(of: "letters")
        #expect(places.isLabelled && places.unseenShards == ["b"])
        #expect(places.copies.filter { $0.relation == .shard }.map(\.path) == ["/in/1"])
        let derived = places.copies.filter { $0.relation == .derived }
        #expect(Set(derived.map(\.path)) == ["/out/1", "/in/2", "/out/2", "/in/3", "/out/3"])
        #expect(derived.first { $0.path == "/in/3" }?.name == "topics")
        #expect(derived.first { $0.path == "/in/3" }?.site == "home")
        #expect(try await store.places(of: "other").copies.map(\.path) == ["/out/4"])
        #expect(try await !store.places(of: "never").isLabelled)
    }

    /// Without labels of its own the coordinator leaves it to the nodes, which refuse for themselves.
    @Test func withoutLabelsNodesDecide() async throws {
        #expect(try await takers(spec(["plans"]), try await store(nil)).count == 4)
    }
}
