import Foundation
import HearthLedger
import HearthPolicy
import Testing

@Suite struct PolicyTests {
    private let home = Site(name: "home", kind: .onprem, country: "DE")
    private let branch = Site(name: "branch", kind: .edge, country: "DE")
    private let cloud = Site(name: "cloud-1", kind: .cloud, country: "IE")

    private func decide(
        _ label: DatasetLabel?, _ site: Site, _ purpose: Purpose = .training, sources: [DatasetLabel] = [],
        release: Release? = nil, now: Int = 100
    ) -> Decision {
        let data = KnownData(name: label?.name ?? "d", label: label, sources: sources, release: release)
        return Policy.decide([data], at: site, for: purpose, now: now)
    }

    private func label(_ tier: Tier, sites: Set<String>? = nil, purposes: Set<Purpose> = [.training]) -> DatasetLabel {
        DatasetLabel(name: "d", tier: tier, sites: sites, purposes: purposes)
    }

    @Test func whatHasNoLabelStaysOnPrem() {
        #expect(decide(nil, home).isAllowed && !decide(nil, branch).isAllowed)
        #expect(decide(nil, cloud).reason == "d has no label: on-prem only, and cloud-1 is cloud")
        #expect(Policy.decide([], at: cloud, for: .training, now: 0).isAllowed)
    }

    @Test func tiersHaveTheirPlaces() {
        for (tier, places) in [
            (.public, "home branch cloud-1"), (.anonymised, "home branch cloud-1"), (.internal, "home branch"),
            (.personal, "home branch"), (.secret, "home"),
        ] as [(Tier, String)] {
            let allowed = [home, branch, cloud].filter { decide(label(tier), $0).isAllowed }.map(\.name)
            #expect(allowed.joined(separator: " ") == places, "\(tier)")
        }
        // A label names sites: more than its tier allows it cannot.
        #expect(decide(label(.internal, sites: ["cloud-1"]), cloud).isAllowed)
        #expect(!decide(label(.personal, sites: ["cloud-1"]), cloud).isAllowed)
        #expect(!decide(label(.public, sites: ["home"]), branch).isAllowed)
        #expect(!decide(label(.public, sites: []), home).isAllowed)
    }

    @Test func purposesAndExpiryCount() {
        #expect(!decide(label(.public), home, .inference).isAllowed)
        var expiring = label(.public)
        expiring.expiresAt = 100
        #expect(decide(expiring, home, now: 99).isAllowed && !decide(expiring, home, now: 100).isAllowed)
    }

    @Test func oneForbiddenDatasetForbidsTheJob() {
        let both = [label(.public), label(.secret)].map { KnownData(name: "d", label: $0) }
        #expect(!Policy.decide(both, at: cloud, for: .training, now: 0).isAllowed)
        let other = KnownData(name: "e", label: label(.public))
        #expect(Policy.decide([other], at: home, for: .training, now: 0).reason.contains("another dataset than e"))
    }

    @Test func theStrictestIsInherited() {
        let a = DatasetLabel(
            name: "a", tier: .internal, sites: ["home", "branch"], purposes: [.training, .evaluation])
        let b = DatasetLabel(
            name: "b", tier: .personal, sites: ["branch", "x"], purposes: [.training, .inference], expiresAt: 500)
        let both = DatasetLabel.derived("c", from: [a, b])
        #expect(
            both
                == DatasetLabel(
                    name: "c", tier: .personal, sites: ["branch"], purposes: [.training], expiresAt: 500,
                    derivedFrom: ["a", "b"]))
        #expect(decide(both, branch, sources: [a, b]).isAllowed)
        #expect(decide(both, branch, sources: [a]).reason.contains("made from b, whose label is not known"))
        for change in [
            { $0.tier = .public }, { $0.sites = ["branch", "home"] }, { $0.sites = nil },
            { $0.purposes = [.training, .inference] }, { $0.expiresAt = 501 }, { $0.expiresAt = nil },
        ] as [(inout DatasetLabel) -> Void] {
            var wider = both
            change(&wider)
            #expect(!decide(wider, branch, sources: [a, b]).isAllowed)
        }
    }

    @Test func onlyAReviewReleases() {
        let source = DatasetLabel(name: "s", tier: .personal, sites: ["home"], purposes: [.training], expiresAt: 500)
        var made = DatasetLabel(
            name: "d", version: 3, tier: .anonymised, purposes: [.training], expiresAt: 500, derivedFrom: ["s"])
        let release = Release(of: made, reviewer: "R. Viewer", reason: "k = 20", decidedAt: 50)
        #expect(!decide(made, cloud, sources: [source]).isAllowed)
        let allowed = decide(made, cloud, sources: [source], release: release)
        #expect(allowed.isAllowed && allowed.reason.contains("R. Viewer"))
        var open = made
        open.tier = .public
        let toPublic = Release(of: open, reviewer: "R", reason: "r", decidedAt: 1)
        #expect(!decide(open, cloud, sources: [source], release: toPublic).isAllowed)
        // Of another label: its version, name or files.
        for change in [
            { $0.version = 2 }, { $0.tier = .internal },
            { $0.shards = [.init(name: "raw", sha256: String(repeating: "0", count: 64), byteCount: 1)] },
        ] as [(inout DatasetLabel) -> Void] {
            var other = made
            change(&other)
            let review = Release(of: other, reviewer: "R", reason: "r", decidedAt: 1)
            #expect(!decide(made, cloud, sources: [source], release: review).isAllowed)
        }
        let nameless = Release(of: made, reviewer: "", reason: "r", decidedAt: 1)
        #expect(!decide(made, cloud, sources: [source], release: nameless).isAllowed)
        made.purposes = [.training, .inference]
        #expect(!decide(made, cloud, sources: [source], release: release).isAllowed)
    }

    private func any(_ random: inout some RandomNumberGenerator, _ name: String) -> DatasetLabel {
        let names = ["home", "branch", "cloud-1"]
        return DatasetLabel(
            name: name, tier: Tier.allCases.randomElement(using: &random)!,
            sites: Bool.random(using: &random) ? Set(names.filter { _ in Bool.random(using: &random) }) : nil,
            purposes: Set(Purpose.allCases.filter { _ in Bool.random(using: &random) }),
            expiresAt: Bool.random(using: &random) ? Int.random(in: 0..<200, using: &random) : nil)
    }

    /// What must hold of every decision, said another way than the rule says it.
    @Test func generatedCasesAreNeverTooOpen() {
        var random = SystemRandomNumberGenerator()
        var (allowed, released) = (0, 0)
        for _ in 0..<100_000 {
            let site = [home, branch, cloud].randomElement(using: &random)!
            let purpose = Purpose.allCases.randomElement(using: &random)!
            var made = any(&random, "d")
            let sources = (0..<Int.random(in: 0...2, using: &random)).map { any(&random, "s\($0)") }
            made.derivedFrom = Set(sources.map(\.name))
            let release =
                Bool.random(using: &random)
                ? Release(of: made, reviewer: "R", reason: "r", decidedAt: 1) : nil
            guard decide(made, site, purpose, sources: sources, release: release).isAllowed else { continue }
            allowed += 1
            let isReleased = release != nil && made.tier < (sources.map(\.tier).max() ?? .public)
            if isReleased { released += 1 }
            for label in [made] + sources {
                #expect(label.purposes.contains(purpose) && (label.expiresAt ?? 101) > 100)
                if isReleased && label.name != "d" { continue }
                #expect(!(label.tier == .secret && site.kind != .onprem))
                #expect(!(label.tier == .personal && site.kind == .cloud))
                #expect(label.sites?.contains(site.name) ?? true)
                #expect(!(label.tier == .internal && site.kind == .cloud && label.sites == nil))
            }
            if isReleased { #expect(made.tier == .anonymised || made.tier == .internal) }
        }
        #expect(allowed > 3000 && released > 100, "\(allowed) allowed, \(released) of them released")
    }
}

@Suite struct SignedRecordTests {
    private let label = DatasetLabel(
        name: "letters", tier: .personal, sites: ["b", "a"], purposes: [.training, .inference],
        shards: [.init(name: "a.jsonl", sha256: String(repeating: "0", count: 64), byteCount: 3)])

    @Test func labelsAreSignedNotes() throws {
        let key = SignerKey(name: "labels.example")
        let note = "\(try SignedRecord.sign(label, with: key))"
        #expect(try SignedRecord.open(DatasetLabel.self, note, signedBy: [key.verifier]) == label)
        #expect(note == "\(try SignedRecord.sign(label, with: key))")
        #expect(throws: SignedRecord.Problem.self) {
            try SignedRecord.open(DatasetLabel.self, note, signedBy: [SignerKey(name: "labels.example").verifier])
        }
        let changed = note.replacingOccurrences(of: "personal", with: "public")
        #expect(throws: SignedRecord.Problem.self) {
            try SignedRecord.open(DatasetLabel.self, changed, signedBy: [key.verifier])
        }
    }

    /// Signed, and still not taken: fields that nobody here knows, another order, another record, a witness's signature.
    @Test func whatIsNotUnderstoodIsRefused() throws {
        let key = SignerKey(name: "k")
        func refused(_ text: String, _ key: SignerKey) throws -> String {
            var note = try SignedNote(text: text)
            note.add(try key.sign(text, at: 0))
            do { _ = try SignedRecord.open(DatasetLabel.self, "\(note)", signedBy: [key.verifier]) } catch {
                return "\(error)"
            }
            return "taken"
        }
        let text = try SignedRecord.sign(label, with: key).text
        #expect(try refused(text, key) == "taken")
        #expect(
            try refused(text.replacing("{\"derivedFrom\"", with: "{\"alsoNever\":1,\"derivedFrom\""), key).contains(
                "more than"))
        #expect(try refused(text.replacing("[\"a\",\"b\"]", with: "[\"b\",\"a\"]"), key).contains("more than"))
        #expect(try refused(text.replacing("personal", with: "harmless"), key).contains("is no DatasetLabel"))
        #expect(try refused(text, SignerKey(name: "k", kind: .witness)).contains("no trusted key"))
    }

    @Test func malformedLabelsAreNamed() {
        for (change, field) in [
            ({ $0.version = 0 }, "version"), ({ $0.sites = ["../x"] }, "sites"),
            ({ $0.derivedFrom = ["letters"] }, "derivedFrom"),
            ({ $0.shards.append($0.shards[0]) }, "shards"),
            ({ $0.shards = [.init(name: "../a", sha256: String(repeating: "0", count: 64), byteCount: 1)] }, "shards"),
            ({ $0.shards = [.init(name: "a", sha256: "00", byteCount: 1)] }, "shards"),
        ] as [((inout DatasetLabel) -> Void, String)] {
            var label = label
            change(&label)
            #expect(label.problem?.hasPrefix(field) == true, "\(String(describing: label.problem))")
        }
        #expect(label.problem == nil && DatasetLabel(name: "a/b", tier: .public, purposes: []).problem != nil)
    }
}

@Suite struct LabelFolderTests {
    private let folder = FileManager.default.temporaryDirectory.appending(path: "hearth-labels-\(UUID().uuidString)")
    private let key = SignerKey(name: "labels")

    private func open(_ labels: [DatasetLabel], _ releases: [Release] = []) throws -> LabelFolder {
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        for label in labels {
            try write("\(try SignedRecord.sign(label, with: key))", "\(label.name).label")
        }
        for release in releases {
            try write("\(try SignedRecord.sign(release, with: key))", "\(release.dataset).release")
        }
        try write("# who may label\n\(key.verifier)\n\n", "trusted")
        return try LabelFolder(folder.path, keyFile: folder.appending(path: "trusted").path)
    }

    private func write(_ text: String, _ name: String) throws {
        try Data(text.utf8).write(to: folder.appending(path: name))
    }

    /// A source that was itself widened without a review is not known, however many steps away.
    @Test func unsoundSourcesAreNotKnown() throws {
        defer { try? FileManager.default.removeItem(at: folder) }
        let secret = DatasetLabel(name: "a", tier: .secret, purposes: [.training])
        let widened = DatasetLabel(name: "b", tier: .internal, purposes: [.training], derivedFrom: ["a"])
        let made = DatasetLabel(name: "c", tier: .internal, purposes: [.training], derivedFrom: ["b"])
        let site = Site(name: "s", kind: .edge, country: "DE")
        let labels = try open([secret, widened, made])
        #expect(
            Policy.decide([labels.known("c")], at: site, for: .training, now: 0).reason.contains(
                "made from b, whose label is not known"))
        let release = Release(of: widened, reviewer: "R", reason: "r", decidedAt: 1)
        let reviewed = try open([], [release])
        #expect(Policy.decide([reviewed.known("c")], at: site, for: .training, now: 0).isAllowed)
        #expect(try reviewed.names() == ["a", "b", "c"])
    }

    /// Each step names the cloud; the first source names none.
    @Test func everyAncestorIsAskedAboutTheSite() throws {
        defer { try? FileManager.default.removeItem(at: folder) }
        let cloud = Site(name: "cloud-1", kind: .cloud, country: "IE")
        var labels = [DatasetLabel(name: "a", tier: .internal, purposes: [.training])]
        for name in ["b", "c", "d"] {
            labels.append(
                DatasetLabel(
                    name: name, tier: .internal, sites: ["cloud-1"], purposes: [.training],
                    derivedFrom: [labels.last!.name]))
        }
        let known = try open(labels)
        for name in ["b", "c", "d"] {
            let decision = Policy.decide([known.known(name)], at: cloud, for: .training, now: 0)
            #expect(decision.reason.contains("was made from a, which is internal"), "\(decision)")
        }
        #expect(throws: SignedRecord.Problem.self) {
            try LabelFolder(folder.path + "/none", keyFile: folder.path + "/trusted")
        }
        try FileManager.default.createSymbolicLink(atPath: folder.path + "/e.label", withDestinationPath: "nowhere")
        #expect(known.known("e").problem?.contains("cannot be read") == true)
    }

    @Test func whatCannotBeBelievedIsDenied() throws {
        defer { try? FileManager.default.removeItem(at: folder) }
        let home = Site(name: "h", kind: .onprem, country: "DE")
        let labels = try open([
            DatasetLabel(name: "loop", tier: .public, purposes: [.training], derivedFrom: ["pool"]),
            DatasetLabel(name: "pool", tier: .public, purposes: [.training], derivedFrom: ["loop"]),
            DatasetLabel(name: "fine", tier: .public, purposes: [.training]),
        ])
        func reason(_ name: String) -> String {
            let decision = Policy.decide([labels.known(name)], at: home, for: .training, now: 0)
            return decision.isAllowed ? "allowed" : decision.reason
        }
        #expect(reason("fine") == "allowed" && reason("never-labelled") == "allowed")
        #expect(reason("loop").contains("label is not known"))
        #expect(reason("../fine").contains("no dataset's name") && reason("").contains("no dataset's name"))
        try write(try String(contentsOf: folder.appending(path: "fine.label"), encoding: .utf8), "other.label")
        #expect(reason("other").contains("its label is of 'fine'"))
        for text in ["", "x", "{}\n\n\u{2014} labels AAAAAAAA\n"] {
            try write(text, "fine.label")
            #expect(reason("fine").contains("its label"))
        }
        try write("\(key.verifier)\nnot a key\n", "trusted")
        #expect(throws: SignedRecord.Problem.self) { try LabelFolder(folder.path, keyFile: folder.path + "/trusted") }
        #expect(throws: SignedRecord.Problem.self) { try LabelFolder(folder.path, keyFile: folder.path + "/none") }
    }
}
