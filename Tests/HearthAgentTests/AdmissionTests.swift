import Foundation
import HearthAgent
import HearthFleet
import HearthLedger
import HearthPolicy
import Support
import Testing

/// A coordinator that was taken over assigns every job to every node. What its labels forbid, the node refuses by itself, with nothing opened.
@Suite struct AdmissionTests {
    private let folder: String
    private let key = SignerKey(name: "labels.example")
    private let sites = [
        Site(name: "home", kind: .onprem, country: "DE"), Site(name: "branch", kind: .edge, country: "FR"),
        Site(name: "cloud-1", kind: .cloud, country: "IE"),
    ]

    init() throws { folder = try TestPaths.temporaryFolder() }

    /// A node's settings for each site over one folder of labels.
    private func admissions() throws -> [(Site, Admission)] {
        try sites.map { site in
            let path = "\(folder)/\(site.name).yaml"
            let text =
                "site: \(site.name)\nkind: \(site.kind.rawValue)\ncountry: \(site.country)\nlabels: \(folder)/labels\ntrusted: \(folder)/trusted\n"
            try Data(text.utf8).write(to: URL(fileURLWithPath: path))
            return (site, try Admission(path: path))
        }
    }

    /// Datasets of all kinds: `made-N` of up to two others, `forged-N` signed by somebody else, `none-N` without a label.
    private struct World {
        var labels: [String: DatasetLabel] = [:]
        var forged: Set<String> = []
        let names: [String]

        init(_ random: inout some RandomNumberGenerator, now: Int) {
            var names = (0..<6).map { "plain-\($0)" }
            for name in names { labels[name] = Self.any(name, &random, now) }
            for number in 0..<3 {
                let made = "made-\(number)"
                labels[made] = Self.any(made, &random, now)
                labels[made]!.derivedFrom = Set(
                    names.shuffled(using: &random).prefix(Int.random(in: 1...2, using: &random)))
                names.append(made)
            }
            labels["forged-0"] = DatasetLabel(name: "forged-0", tier: .public, purposes: Set(Purpose.allCases))
            forged = ["forged-0"]
            self.names = names + ["forged-0", "none-0"]
        }

        private static func any(_ name: String, _ random: inout some RandomNumberGenerator, _ now: Int) -> DatasetLabel
        {
            DatasetLabel(
                name: name, tier: Tier.allCases.randomElement(using: &random)!,
                sites: Bool.random(using: &random)
                    ? Set(["home", "branch", "cloud-1"].filter { _ in Bool.random(using: &random) }) : nil,
                purposes: Set(Purpose.allCases.filter { _ in Int.random(in: 0..<4, using: &random) > 0 }),
                expiresAt: Int.random(in: 0..<4, using: &random) == 0
                    ? now + Int.random(in: -50...50, using: &random) : nil)
        }

        /// Why `name` must not be read, from what people wrote on the labels: not the rule that the node goes by. nil: nothing forbids it.
        func prohibition(_ name: String, _ site: Site, _ purpose: Purpose, now: Int) -> String? {
            if forged.contains(name) { return "forged" }
            guard let label = labels[name] else { return site.kind == .onprem ? nil : "unlabelled" }
            if !label.purposes.contains(purpose) { return "purpose" }
            if let end = label.expiresAt, end <= now { return "expired" }
            if let sites = label.sites, !sites.contains(site.name) { return "site" }
            switch (label.tier, site.kind) {
            case (.secret, .edge), (.secret, .cloud), (.personal, .cloud): return "tier"
            case (.internal, .cloud) where label.sites == nil: return "no cloud named"
            default: break
            }
            return label.derivedFrom.lazy.compactMap { prohibition($0, site, purpose, now: now) }.first
        }

        /// Whether nothing about it is derived, so that nothing but its own label counts.
        func isPlain(_ name: String) -> Bool { labels[name]?.derivedFrom.isEmpty ?? true }
    }

    private func write(_ world: World) throws {
        try? FileManager.default.removeItem(atPath: "\(folder)/labels")
        try FileManager.default.createDirectory(atPath: "\(folder)/labels", withIntermediateDirectories: true)
        let stranger = SignerKey(name: "labels.example")
        for (name, label) in world.labels {
            let note = try SignedRecord.sign(label, with: world.forged.contains(name) ? stranger : key)
            try Data("\(note)".utf8).write(to: URL(fileURLWithPath: "\(folder)/labels/\(name).label"))
        }
        try Data("\(key.verifier)\n".utf8).write(to: URL(fileURLWithPath: "\(folder)/trusted"))
    }

    @Test func everyIllegalPlacementIsRefused() throws {
        var random = SystemRandomNumberGenerator()
        let now = Int(Date().timeIntervalSince1970)
        var (illegal, refused, legal, reasons) = (0, 0, 0, Set<String>())
        while illegal < 100_000 {
            let world = World(&random, now: now)
            try write(world)
            let admissions = try admissions()
            for _ in 0..<2000 where illegal < 100_000 {
                let (site, admission) = admissions.randomElement(using: &random)!
                var spec = JobSpec(kind: .generate, name: "j", device: "cpu")
                // A file that is not there: had it been opened, the answer would be another.
                (spec.model, spec.input, spec.output) = ("/m.gguf", "/nonexistent/in", "/nonexistent/out")
                spec.data = Array(world.names.shuffled(using: &random).prefix(Int.random(in: 1...2, using: &random)))
                spec.purpose = Purpose.allCases.randomElement(using: &random)!
                let names = spec.data!
                let prohibition = names.lazy.compactMap {
                    world.prohibition($0, site, spec.purpose!, now: now)
                }.first
                do {
                    _ = try admission.admit(spec, now: Date(timeIntervalSince1970: Double(now)))
                    Issue.record("\(names) may be read at \(site.name)")
                } catch is Admission.Refusal {
                    if prohibition != nil { refused += 1 }
                    #expect(prohibition != nil || !names.allSatisfy(world.isPlain), "\(names) at \(site.name)")
                } catch is FileDigest.Problem {
                    // It went on to open the input: that is right only where nothing forbids it.
                    #expect(prohibition == nil, "\(names) opened at \(site.name): \(prohibition ?? "")")
                    legal += 1
                }
                illegal += prohibition == nil ? 0 : 1
                if let prohibition { reasons.insert(prohibition) }
            }
        }
        #expect(refused == illegal && legal > 1000)
        #expect(reasons == ["forged", "unlabelled", "purpose", "expired", "site", "tier", "no cloud named"])
        print("admission: \(refused) of \(illegal) illegal placements refused, \(legal) others went on")
    }
}
