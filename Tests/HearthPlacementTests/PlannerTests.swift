import HearthFleet
import HearthPlacement
import HearthPolicy
import HearthRoofline
import Support
import Testing

/// Nodes and jobs for placement, small enough to be reckoned by hand: every device makes 1 GFLOP/s, and a job has so many GFLOP.
enum Fleet {
    static func node(
        _ name: String, _ kind: Site.Kind? = .onprem, site: String? = nil, flops: Double = 1e9, busy: Double = 0,
        memory: UInt64 = 1 << 34, isConnected: Bool = true
    ) -> PlacementNode {
        let device = DeviceSummary(
            selector: "cpu", kind: "cpu", name: "d", driver: "d", memoryByteCount: memory, unusable: nil)
        var record = NodeRecord(
            node: name, version: "1", devices: [device], health: .healthy, evidence: nil, registeredAt: 0,
            lastSeenAt: 0, isConnected: isConnected, ceilings: [.even(flops)])
        record.site = kind.map { Site(name: site ?? name, kind: $0, country: "DE") }
        return PlacementNode(record, busySeconds: busy)
    }

    static func job(
        _ id: String = "j", gigaflops: Double? = 10, deadline: Double? = nil, age: Double = 0, memory: Double? = nil
    ) -> WaitingJob {
        var spec = JobSpec(kind: .bench, name: id, device: "cpu")
        spec.deadlineSeconds = deadline
        spec.estimate = gigaflops.map {
            JobEstimate(kernels: [KernelWork("k", Cost(flops: $0 * 1e9))], memoryByteCount: memory)
        }
        return WaitingJob(id, spec, ageSeconds: age, dataByteCount: Double(1 << 30))
    }

    static let prices = PriceList(sites: [
        "own": SitePrice(perHour: 1), "dear": SitePrice(perHour: 3600, watts: 1000, perKilowattHour: 3600),
        "cloud": SitePrice(perHour: 7200, perGibibyte: 5), "cloud-2": SitePrice(perHour: 9000),
    ])

    static func planner(forbidding sites: Set<String> = []) -> Planner {
        Planner(prices: prices) { _, site in
            sites.contains(site?.name ?? "") ? (false, "may not be there") : (true, "may be there")
        }
    }
}

@Suite struct PlannerTests {
    private func plan(_ job: WaitingJob, _ nodes: [PlacementNode], forbidding: Set<String> = []) -> PlacementDecision {
        Fleet.planner(forbidding: forbidding).plan([job], on: nodes)[0]
    }

    @Test func withoutADeadlineOneGoesWhereItEndsFirst() {
        let nodes = [Fleet.node("own", busy: 30), Fleet.node("dear", busy: 5), Fleet.node("cloud", .cloud)]
        let decision = plan(Fleet.job(), nodes)
        #expect(decision.chosen == "dear")
        #expect(decision.candidates.map(\.finishSeconds) == [40, 15, 10])
        // 10 s: 3600 an hour are 1 a second, and so is 1 kW at 3600.
        #expect(decision.candidates.map { $0.cost?.rounded() } == [0, 20, 25])
        #expect(abs(decision.candidates[0].cost! - 10.0 / 3600) < 1e-9)
    }

    @Test func withADeadlineTheCheapestThatMeetsIt() {
        let nodes = [Fleet.node("own", busy: 30), Fleet.node("dear", busy: 5), Fleet.node("cloud", .cloud)]
        for (deadline, expected) in [
            (100.0, "own"), (40, "own"), (39, "dear"), (15, "dear"), (14, "cloud"), (9, "dear"),
        ] {
            let decision = plan(Fleet.job(deadline: deadline), nodes)
            #expect(decision.chosen == expected, "within \(deadline) s: \(decision.reason)")
        }
        // What it has waited already is gone.
        #expect(plan(Fleet.job(deadline: 40, age: 1), nodes).chosen == "dear")
    }

    @Test func cloudsArePaidForOnlyWhereTheyHelpAndMay() {
        let own = Fleet.node("own", busy: 100)
        let clouds = [Fleet.node("cloud-2", .cloud), Fleet.node("cloud", .cloud)]
        // Moving a gibibyte costs 5, and the other 0.5 a second more: as much at 10 s, where the name decides.
        #expect(plan(Fleet.job(deadline: 20), [own] + clouds).chosen == "cloud")
        #expect(plan(Fleet.job(gigaflops: 9, deadline: 20), [own] + clouds).chosen == "cloud-2")
        #expect(plan(Fleet.job(gigaflops: 11, deadline: 20), [own] + clouds).chosen == "cloud")
        #expect(plan(Fleet.job(deadline: 20), [own] + clouds, forbidding: ["cloud", "cloud-2"]).chosen == "own")
        // A price that is not known is not paid; a time that is not known does not call for one.
        #expect(plan(Fleet.job(deadline: 20), [own, Fleet.node("cloud-3", .cloud)]).chosen == "own")
        #expect(plan(Fleet.job(gigaflops: nil, deadline: 20), [own] + clouds).chosen == "own")
        // An own node that is away is waited for; one that labels forbid is not.
        let away = Fleet.node("own", isConnected: false)
        #expect(plan(Fleet.job(), [away] + clouds).chosen == nil)
        #expect(plan(Fleet.job(deadline: 20), [away] + clouds).chosen == nil)
        #expect(plan(Fleet.job(deadline: 20), clouds).chosen == nil)
        // One that lacks the memory is not waited for.
        let small = Fleet.node("own", memory: 1 << 20)
        #expect(plan(Fleet.job(deadline: 20, memory: 1e9), [small] + clouds).chosen == "cloud")
        #expect(plan(Fleet.job(), [away] + clouds).reason.contains("waits for a node of one's own"))
        #expect(plan(Fleet.job(), [own] + clouds, forbidding: ["own"]).chosen != nil)
        #expect(plan(Fleet.job(), [Fleet.node("unsaid", nil, isConnected: false)] + clouds).chosen == nil)
    }

    @Test func whatCannotBeSaysWhy() {
        let small = plan(Fleet.job(memory: 3 * Double(1 << 34)), [Fleet.node("own")])
        #expect(small.chosen == nil && small.candidates[0].refusal == "cpu has 16.0 GiB of memory, 48.0 GiB are needed")
        #expect(plan(Fleet.job(), []).reason == "no node is connected")
        #expect(plan(Fleet.job(), [Fleet.node("own", isConnected: false)]).reason == "no node is connected")
        let forbidden = plan(Fleet.job(), [Fleet.node("own")], forbidding: ["own"])
        #expect(forbidden.reason == "no node may take it: own may not be there")
    }

    @Test func whateverIsClaimedStaysFinite() {
        let endless = Fleet.job("e", gigaflops: 1e15)
        var broken = Fleet.node("own")
        broken.record.ceilings = [Ceilings.even(0)]
        for node in [Fleet.node("own"), broken] {
            let plan = Fleet.planner().plan([endless, Fleet.job("x")], on: [node])
            #expect(plan.allSatisfy { $0.candidate!.finishSeconds! <= 2.1e9 })
        }
    }

    @Test func jobsTakeTimeFromThoseBehindThem() {
        let jobs = (1...6).map { Fleet.job("j\($0)") }
        let nodes = [Fleet.node("a"), Fleet.node("b", flops: 2e9)]
        let plan = Fleet.planner().plan(jobs, on: nodes)
        // Ends at 5, 10 (b is free at 5), 10 (a), 15, 20, 20.
        #expect(plan.map(\.chosen) == ["b", "a", "b", "b", "a", "b"])
        #expect(plan.map { $0.candidate!.finishSeconds } == [5, 10, 10, 15, 20, 20])
        let unknown = Fleet.planner().plan([Fleet.job("x", gigaflops: nil), Fleet.job("y")], on: [nodes[0]])
        #expect(unknown[1].candidate!.waitSeconds == Planner.assumedSeconds)
    }

    /// What must be true of every decision, said another way than the planner says it.
    @Test func generatedDecisionsKeepTheRules() {
        var random = SystemRandomNumberGenerator()
        for _ in 0..<20_000 {
            let nodes = (0..<Int.random(in: 0...5, using: &random)).map { index in
                let kind = [Site.Kind.onprem, .edge, .cloud, nil].randomElement(using: &random)!
                let name = kind == .cloud ? "cloud\(["", "-2"][index % 2])" : ["own", "dear"][index % 2]
                return Fleet.node(
                    "\(name)-\(index)", kind, site: name, flops: .random(in: 1e8...4e9, using: &random),
                    busy: .random(in: 0...60, using: &random), isConnected: .random(using: &random))
            }
            let deadline = Bool.random(using: &random) ? Double.random(in: 1...90, using: &random) : nil
            let forbidden = Set(["own", "dear", "cloud", "cloud-2"].filter { _ in .random(using: &random) })
            let decision = plan(Fleet.job(deadline: deadline), nodes, forbidding: forbidden)
            let possible = decision.candidates.filter { $0.refusal == nil }
            guard let chosen = decision.candidates.first(where: { $0.node == decision.chosen && $0.refusal == nil })
            else {
                #expect(decision.chosen == nil && possible.allSatisfy(\.isCloud), "\(decision)")
                continue
            }
            #expect(!forbidden.contains(chosen.site?.name ?? ""), "\(decision)")
            let own = possible.filter { !$0.isCloud }
            let isOwnInTime = own.contains { $0.finishSeconds! <= deadline ?? .infinity }
            #expect(!(chosen.isCloud && isOwnInTime), "\(decision)")
            if let deadline, chosen.isCloud, !own.isEmpty { #expect(chosen.finishSeconds! <= deadline) }
        }
    }
}
