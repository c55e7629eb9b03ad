import Foundation
import HearthFleet
import Support
import Testing

/// A coordinator with certificates: machines join by a token, and are who their certificate says.
@Suite(.serialized) struct IdentityEndToEndTests {
    private let settings = "trustDomain: fleet.example\n"
    private let spec = "kind: bench\nname: b\ndevice: cpu\ncases: [gemm 64x64x64 x2]\n"

    private func curl(_ fleet: Fleet, _ path: String, _ arguments: [String]) throws -> String {
        try Program.tool(
            "/usr/bin/curl",
            ["-sS", "--cacert", "\(fleet.folder)/coordinator/authority.pem", "-o", "/dev/null", "-w", "%{http_code}"]
                + arguments + [fleet.coordinatorURL + path]
        ).out
    }

    @Test func aMachineJoinsAndIsOnlyItself() throws {
        let fleet = try Fleet()
        try fleet.startCoordinator(settings: settings)
        #expect(fleet.coordinatorURL.hasPrefix("https://"))
        // Before it has joined, the agent says what to do.
        let early = #expect(throws: Fleet.StartFailure.self) { try fleet.startAgent() }
        #expect(early?.log.contains("run hearth join") == true, "\(early?.log ?? "")")
        let token = try fleet.join("n1")
        try fleet.startAgent()
        let done = try fleet.hearth("submit", "--follow", try fleet.write("b.yaml", spec))
        #expect(done.status == 0, "\(done.error)")

        // The token is used up, and of another coordinator it is refused before it is sent.
        let again = try fleet.hearth(
            "join", token, "--coordinator", fleet.coordinatorURL, "--state", "\(fleet.folder)/x")
        #expect(again.status == 77 && again.error.contains("was used"), "\(again.error)")
        let other = token.dropLast(64) + String(repeating: "0", count: 64)
        let wrong = try fleet.hearth(
            "join", String(other), "--coordinator", fleet.coordinatorURL, "--state", "\(fleet.folder)/x")
        #expect(wrong.status == 78 && wrong.error.contains("not the one that made this token"), "\(wrong.error)")
        #expect(try fleet.hearth("join", "nonsense", "--coordinator", fleet.coordinatorURL).status == 65)

        // Its certificate is good for its own paths; no token is good for any node's.
        let poll = ["-d", #"{"waitSeconds":0,"capacity":0,"spooledReports":0}"#]
        let own = ["--cert", "\(fleet.folder)/agent/node.pem", "--key", "\(fleet.folder)/agent/node.key"]
        #expect(try curl(fleet, "/v1/nodes/n1/poll", poll + own) == "200")
        #expect(try curl(fleet, "/v1/nodes/n2/poll", poll + own) == "403")
        #expect(try curl(fleet, "/v1/jobs", own) == "403")
        let bearer = ["-H", "Authorization: Bearer \(try String(contentsOfFile: fleet.tokenFile, encoding: .utf8))"]
        #expect(try curl(fleet, "/v1/nodes/n1/poll", poll + bearer) == "403")
        #expect(try curl(fleet, "/v1/jobs", bearer) == "200")
        #expect(try curl(fleet, "/v1/nodes/n1/poll", poll) == "401")
        #expect(fleet.log("coordinator").contains("node n1 is not node n2"))
        // A certificate that names the node, from an authority of somebody else's: TLS ends there.
        let forged = "\(fleet.folder)/forged"
        _ = try Program.tool(
            "/usr/bin/openssl",
            [
                "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=n1",
                "-addext", "subjectAltName=URI:spiffe://fleet.example/node/n1", "-keyout", "\(forged).key", "-out",
                "\(forged).pem",
            ])
        #expect(
            try curl(fleet, "/v1/nodes/n1/poll", poll + ["--cert", "\(forged).pem", "--key", "\(forged).key"]) == "000")
        // Without the authority a user believes nobody.
        let blind = try Program.run(
            ["nodes"], environment: ["HEARTH_COORDINATOR": fleet.coordinatorURL, "HEARTH_TOKEN_FILE": fleet.tokenFile])
        #expect(blind.status == 75 && blind.error.contains("cannot reach"), "\(blind.error)")
    }

    /// A machine was stolen: what its key says counts no more, and the machine that takes its place joins under its name.
    @Test func aBarredNodeJoinsAnew() throws {
        let fleet = try Fleet()
        try fleet.startCoordinator(settings: settings)
        _ = try fleet.join("n1")
        try fleet.startAgent()
        let spec = try fleet.write("b.yaml", spec)
        #expect(try fleet.hearth("submit", "--follow", spec).status == 0)
        let unused = try fleet.hearth("invite", "n1").out.trimmingCharacters(in: .whitespacesAndNewlines)
        let stolen = "\(fleet.folder)/stolen"
        try FileManager.default.copyItem(atPath: "\(fleet.folder)/agent", toPath: stolen)
        let poll = ["-d", #"{"waitSeconds":0,"capacity":0,"spooledReports":0}"#]
        let key = ["--cert", "\(stolen)/node.pem", "--key", "\(stolen)/node.key"]
        #expect(try curl(fleet, "/v1/nodes/n1/poll", poll + key) == "200")

        #expect(try fleet.hearth("bar", "n9").status == 65)
        let barred = try fleet.hearth("bar", "n1", "--reason", "stolen")
        #expect(barred.status == 0 && barred.out == "n1 is barred\n", "\(barred)")
        #expect(try curl(fleet, "/v1/nodes/n1/poll", poll + key) == "403")
        #expect(try curl(fleet, "/v1/renew", ["-d", "{}"] + key) == "403")
        let join = try fleet.hearth(
            "join", unused, "--coordinator", fleet.coordinatorURL, "--state", "\(fleet.folder)/x")
        #expect(join.status == 77, "\(join.error)")
        let nodes = try fleet.hearth("nodes")
        #expect(nodes.out.contains("barred") && nodes.error.contains("n1 is barred: stolen"), "\(nodes)")
        let id = try fleet.hearth("submit", spec).out.trimmingCharacters(in: .whitespacesAndNewlines)
        try fleet.wait(20) { fleet.log("agent").contains("node n1 is barred: stolen") }
        #expect(try fleet.hearth("jobs").out.contains("queued"))
        #expect(fleet.stop("agent") == 0)

        try FileManager.default.removeItem(atPath: "\(fleet.folder)/agent")
        _ = try fleet.join("n1")
        try fleet.startAgent()
        #expect(try fleet.hearth("logs", "--follow", id).status == 0)
        #expect(try !fleet.hearth("nodes").out.contains("barred"))
        #expect(try curl(fleet, "/v1/nodes/n1/poll", poll + key) == "403")
        #expect(fleet.log("coordinator").contains("node n1 is barred: stolen"))
    }

    /// Certificates of seconds: they are renewed while the agent lives; one that expired meanwhile costs nothing but a new token.
    @Test func certificatesAreRenewedAndMayExpire() throws {
        let fleet = try Fleet()
        try fleet.startCoordinator(settings: settings + "certificateSeconds: 8\n")
        _ = try fleet.join("n1")
        let certificate = "\(fleet.folder)/agent/node.pem"
        let first = try String(contentsOfFile: certificate, encoding: .utf8)
        try fleet.startAgent()
        sleep(8)
        #expect(try String(contentsOfFile: certificate, encoding: .utf8) != first)
        let spec = try fleet.write("b.yaml", spec)
        #expect(try fleet.hearth("submit", "--follow", spec).status == 0)

        // While the coordinator is away the certificate expires; the agent's reports wait.
        let id = try fleet.hearth("submit", try fleet.write("c.yaml", self.spec.replacing("x2]", with: "x1000000]")))
            .out
        for _ in 0..<100 where try !fleet.hearth("jobs").out.contains("running") { usleep(50_000) }
        fleet.kill("coordinator")
        sleep(10)
        try fleet.startCoordinator(settings: settings + "certificateSeconds: 8\n")
        sleep(1)
        #expect(fleet.log("agent").contains("run hearth join with a new token"))
        #expect(try fleet.hearth("jobs").out.contains("running"))
        #expect(fleet.stop("agent") == 0)
        _ = try fleet.join("n1")
        try fleet.startAgent()
        let followed = try fleet.hearth("logs", "--follow", id.trimmingCharacters(in: .whitespacesAndNewlines))
        #expect(followed.status == 0 && followed.out.contains("1000000 times"), "\(followed.error)")
    }
}
