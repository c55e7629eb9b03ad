import Foundation
import HearthFleet
import HearthPolicy
import HearthRoofline
import Support
import Testing

@Suite struct JobSpecTests {
    private func parse(_ yaml: String) throws -> JobSpec {
        try JobSpec.parse(yaml: yaml, file: "job.yaml", folder: "/models")
    }

    @Test func fieldsOfJSONThatNobodyKnowsAreNamed() throws {
        var spec = JobSpec(kind: .probe, name: "p")
        (spec.data, spec.purpose) = (["letters"], .training)
        let text = String(decoding: try JSONEncoder().encode(spec), as: UTF8.self)
        #expect(try JobSpec.parse(json: Data(text.utf8)) == spec)
        for (changed, field) in [
            (text.replacing("\"data\"", with: "\"dataset\""), "dataset"),
            (text.replacing("\"topK\"", with: "\"x\":{\"y\":1},\"topK\""), "sampling.x"),
        ] {
            let error = #expect(throws: ConfigError.self) { try JobSpec.parse(json: Data(changed.utf8)) }
            #expect(error?.description == "\(field): unknown field")
        }
        #expect(try JobSpec.parse(json: Data(text.replacing("\"name\"", with: "\"later\":null,\"name\"").utf8)) == spec)
    }

    @Test func readsAGenerateJob() throws {
        let spec = try parse(
            "kind: generate\nname: n\nmodel: a.gguf\nprompt: |\n  two\n  lines\nmaxTokens: 7\nchat: true\ndevice: vulkan:3\ntopP: 0.5\nseed: 9\n"
        )
        #expect(spec.model == "/models/a.gguf" && spec.prompt == "two\nlines\n" && spec.maxTokens == 7 && spec.isChat)
        #expect(spec.device == "vulkan:3" && spec.sampling.topP == 0.5 && spec.sampling.seed == 9)
    }

    /// Each shape of the published schema has the fields that the parser takes, and none of another.
    @Test func theSchemaIsWhatIsRead() throws {
        let values = [
            "model": "m.gguf", "prompt": "p", "input": "i", "output": "o", "kind": "",
        ]
        for shape in JobSpecSchema.shapes {
            let spec = shape.required.map { "\($0): \($0 == "kind" ? shape.kind.rawValue : values[$0]!)\n" }.joined()
            _ = try parse(spec)
            let error = #expect(throws: ConfigError.self) { try parse(spec + "zzz: 1\n") }
            let known = try #require(error?.description.components(separatedBy: "there are ").last)
            var read = Set(known.components(separatedBy: ", "))
            // The parser knows both shapes of generate until it sees an input.
            if shape.required.contains("prompt") { read.subtract(["input", "output"]) }
            if shape.required.contains("input") { read.remove("prompt") }
            #expect(read == Set(shape.properties.map(\.name)), "\(shape.title)")
            // A field that is required is: without it there is no such spec.
            for field in shape.required {
                let rest = shape.required.filter { $0 != field }
                    .map { "\($0): \($0 == "kind" ? shape.kind.rawValue : values[$0]!)\n" }.joined()
                #expect(throws: ConfigError.self) { try parse(rest) }
            }
        }
        let json = try JSONSerialization.jsonObject(with: Data(JobSpecSchema.json.utf8)) as? [String: Any]
        #expect((json?["oneOf"] as? [Any])?.count == JobSpecSchema.shapes.count)
    }

    @Test func readsDeadlinesAndCases() throws {
        let spec = try parse("kind: bench\ndeadlineSeconds: 90\ncases: [gemm 64x64x64 x2]\n")
        #expect(spec.deadlineSeconds == 90 && spec.cases == ["gemm 64x64x64 x2"] && spec.workloads.isEmpty)
        var wrong = spec
        wrong.estimate = JobEstimate(kernels: [KernelWork("k", Cost(flops: -1))])
        #expect(wrong.problem == "estimate: k: costs are 0 to 1e24")
        wrong.estimate = JobEstimate(kernels: [])
        #expect(wrong.problem == "estimate: 1 to 1000 kernels")
    }

    @Test func readsPrices() throws {
        let list = try PriceList.parse(
            yaml: "currency: EUR\nsites:\n  hall: {perHour: 1.5, watts: 500, perKilowattHour: 0.2}\n", file: "p.yaml")
        // An hour: 1.5, and half a kilowatt-hour; two gibibytes cost nothing here.
        #expect(abs(list.sites["hall"]!.cost(seconds: 3600, movedByteCount: Double(2 << 30)) - 1.6) < 1e-9)
        // What is measured counts in place of it, and half as much again for fans.
        let measuring = SitePrice(perHour: 1.5, watts: 500, perKilowattHour: 0.2, wattsPerMeasured: 1.5)
        #expect(abs(measuring.cost(seconds: 3600, measuredWatts: 1000, movedByteCount: 0) - 1.8) < 1e-9)
        for (text, problem) in [
            ("sites: {}\n", "p.yaml: currency is missing"),
            ("currency: EUR\nsites: 3\n", "p.yaml:2: sites: expected 'name: {...}' lines"),
            ("currency: EUR\nsites:\n  hall: 3\n", "p.yaml:3: sites: expected 'name: {...}'"),
            ("currency: EUR\nsites:\n  hall: {watts: 1}\n", "p.yaml: sites.hall.perHour is missing"),
            ("currency: EUR\nsites:\n  hall:\n    perHour: -1\n", "p.yaml:4: sites.hall.perHour: 0 to 1e9"),
            ("currency: EUR\nsites:\n  hall: {perHour: 1, rent: 2}\n", "p.yaml:3: sites.hall.rent: unknown field"),
            (
                "currency: EUR\nsites:\n  hall: {perHour: 1, wattsPerMeasured: 0.5}\n",
                "p.yaml:3: sites.hall.wattsPerMeasured: 1 to 10"
            ),
            ("currency: EUR\nsites:\n  a/b: {perHour: 1}\n", "'a/b' is no site's name"),
        ] {
            let error = #expect(throws: ConfigError.self) { try PriceList.parse(yaml: text, file: "p.yaml") }
            #expect(error?.description.contains(problem) == true, "\(error?.description ?? "")")
        }
    }

    @Test func readsBatchAndServeJobs() throws {
        let batch = try parse("kind: generate\nmodel: a.gguf\ninput: in.jsonl\noutput: /out/x.jsonl\n")
        #expect(batch.input == "/models/in.jsonl" && batch.output == "/out/x.jsonl" && batch.prompt == nil)
        let serve = try parse("kind: serve\nmodel: a.gguf\nlisten: 127.0.0.1:9\napiKeys: keys\ncontext: 100\n")
        #expect(serve.listen == "127.0.0.1:9" && serve.apiKeys == "/models/keys" && serve.context == 100)
    }

    @Test(arguments: [
        ("kind: generate\nmodel: m\ninput: i\n", "input: needs an output"),
        ("kind: generate\nmodel: m\ninput: i\noutput: o\nprompt: p\n", "prompt: either"),
        ("kind: generate\nmodel: m\ninput: i\noutput: i\n", "output: is the input"),
        ("kind: serve\n", "model: a serve job needs a model"),
        ("kind: serve\nmodel: m\nlisten: here\n", "listen: 'here'"),
        ("kind: serve\nmodel: m\nprompt: p\n", "prompt: unknown field"),
        ("kind: serve\nmodel: m\ncontext: 0\n", "context: 1 to"),
        ("kind: generate\nmodel: m\nprompt: p\npromt: x\n", "job.yaml:4: promt: unknown field"),
        ("kind: cook\n", "job.yaml:1: kind: 'cook'"), ("name: x\n", "kind is missing"), ("", "expected 'field: value'"),
        ("- a\n", "expected 'field: value'"), ("kind: generate\nmodel: m\n", "prompt: a generate job needs a prompt"),
        ("kind: generate\nmodel: m\nprompt: p\nmaxTokens: many\n", "job.yaml:4: maxTokens: expected a whole number"),
        ("kind: generate\nmodel: m\nprompt: p\nmaxTokens: 0\n", "job.yaml:4: maxTokens: 1 to"),
        ("kind: generate\nmodel: m\nprompt: [p]\n", "job.yaml:3: prompt: expected text"),
        ("kind: probe\ndevice: gpu\n", "job.yaml:2: device: 'gpu'"),
        ("kind: probe\ntimeoutSeconds: -1\n", "job.yaml:2: timeoutSeconds"),
        ("kind: probe\ntimeoutSeconds: .nan\n", "timeoutSeconds"), ("kind: probe\nkind: bench\n", "duplicated key"),
        ("kind: generate\nmodel: m\nprompt: p\ntopP: 0\n", "topP: above 0"),
        ("kind: probe\nprompt: p\n", "prompt: unknown field"),
        ("kind: [\n", "job.yaml: "), ("kind: bench\nworkloads: gemm\n", "workloads: expected a list"),
    ])
    func badSpecsNameLineAndField(yaml: String, message: String) {
        do { _ = try parse(yaml) } catch { return #expect("\(error)".contains(message), "\(error)") }
        Issue.record("accepted \(yaml)")
    }

    @Test func jsonFromTheWireIsCheckedToo() throws {
        var spec = JobSpec(kind: .generate, name: "x")
        spec.model = "relative.gguf"
        spec.prompt = "p"
        #expect(spec.problem?.contains("absolute") == true)
        spec.model = "/a.gguf"
        #expect(spec.problem == nil)
        spec.device = "vulkan:01"
        #expect(spec.problem?.hasPrefix("device") == true)
    }
}

@Suite struct ConfigTests {
    @Test func readsAndRefuses() throws {
        let config = try AgentConfig.parse(
            yaml: "listen: 127.0.0.1:1\ndevices: [cpu, 'vulkan:0']\n", file: "agent.yaml")
        #expect(config.devices == ["cpu", "vulkan:0"] && config.listen == "127.0.0.1:1")
        #expect(throws: ConfigError.self) { try AgentConfig.parse(yaml: "lisen: x\n", file: "agent.yaml") }
        #expect(throws: ConfigError.self) { try AgentConfig.parse(yaml: "devices: [gpu]\n", file: "agent.yaml") }
        for bad in ["jobCpus: 0", "jobCpus: many", "jobMemoryGibibytes: .nan", "jobTimeoutSeconds: 1e9"] {
            #expect(throws: ConfigError.self, "\(bad)") { try AgentConfig.parse(yaml: bad, file: "agent.yaml") }
        }
        #expect(throws: ConfigError.self) { try CoordinatorConfig.parse(yaml: "state: [a]\n", file: "c.yaml") }
    }

    /// The less of what a job asks for and what the operator allows; what neither says has no limit.
    @Test func jobsAreHeldToTheOperatorsLimits() throws {
        let config = try AgentConfig.parse(
            yaml: "jobMemoryGibibytes: 8\njobTimeoutSeconds: 60\n", file: "agent.yaml")
        var spec = JobSpec(kind: .probe, name: "p", timeoutSeconds: 30)
        spec.cpus = 2
        let modest = config.jobLimits.holding(spec)
        #expect(modest.memoryGibibytes == 8 && modest.cpus == 2 && modest.timeoutSeconds == 30)
        (spec.memoryGibibytes, spec.timeoutSeconds) = (64, 3600)
        let greedy = config.jobLimits.holding(spec)
        #expect(greedy.memoryGibibytes == 8 && greedy.timeoutSeconds == 60)
        #expect(config.jobLimits.needsGroups && !JobLimits(timeoutSeconds: 5).needsGroups)
        #expect(JobLimits().holding(spec) == spec)
    }

    @Test func listenAddresses() throws {
        let six = try ListenAddress("[::1]:80")
        #expect(six.host == "::1" && six.port == 80 && six.isLoopback && "\(six)" == "[::1]:80")
        #expect(try !ListenAddress("0.0.0.0:7070").isLoopback)
        for bad in ["", ":80", "host", "host:", "host:x", "host:70000", "host:-1"] {
            #expect(throws: ConfigError.self, "\(bad)") { try ListenAddress(bad) }
        }
    }

    @Test func tokenFilesArePrivate() throws {
        let folder = try TestPaths.temporaryFolder()
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let path = folder + "/token"
        let token = try TokenFile.readOrCreate(path)
        #expect(token.count == 64)
        #expect(try TokenFile.readOrCreate(path) == token)
        var status = stat()
        stat(path, &status)
        #expect(status.st_mode & 0o777 == 0o600)
        chmod(path, 0o644)
        #expect(throws: ConfigError.self) { try TokenFile.read(path) }
        #expect(throws: ConfigError.self) { try TokenFile.read(folder + "/none") }
    }
}

@Suite struct FleetNameTests {
    @Test func namesArePlain() {
        for good in ["n1", "job-1", "a.b_c", String(repeating: "x", count: 128)] { #expect(FleetName.isValid(good)) }
        for bad in ["", ".", "..", "../x", "a/b", "a b", "\u{e9}", ".hidden", String(repeating: "x", count: 129)] {
            #expect(!FleetName.isValid(bad), "\(bad)")
        }
    }
}

@Suite struct PrometheusTests {
    @Test func escapesLabels() {
        var text = PrometheusText()
        text.add("hearth_x_bytes", .gauge, help: "H.", [([("a", "q\"\\\n")], 1.5), ([], 2)])
        #expect(
            text.text
                == "# HELP hearth_x_bytes H.\n# TYPE hearth_x_bytes gauge\nhearth_x_bytes{a=\"q\\\"\\\\\\n\"} 1.5\nhearth_x_bytes 2.0\n"
        )
    }
}

@Suite struct WireTests {
    @Test func reportsSurviveTheWire() throws {
        let bodies: [ReportBody] = [
            .health(state: .suspect, evidence: "e"), .jobStarted(job: "j", attempt: 2),
            .jobLog(job: "j", attempt: 1, offset: 3, text: "\u{e9}"),
            .jobFinished(job: "j", attempt: 1, outcome: JobOutcome(exitCode: 65, message: "m", actualSeconds: 1)),
        ]
        for body in bodies {
            let data = try JSONEncoder().encode(Report(seq: 1, at: 2, body: body))
            #expect(try JSONDecoder().decode(Report.self, from: data).body == body)
        }
    }
}

@Suite struct DeviceHealthTests {
    /// Probes as letters, `.` good and `x` bad; the states after each.
    private func states(_ probes: String) -> String {
        var health = DeviceHealth()
        return probes.map { probe in
            _ = health.observe(probe == "." ? nil : "broken")
            #expect((health.evidence == nil) == (health.state == .healthy))
            #expect(health.takesJobs == (health.state != .quarantined))
            return String(health.state.rawValue.first!)
        }.joined()
    }

    @Test func statesChangeAfterSeveralProbes() {
        #expect(states("...") == "hhh")
        #expect(states("x..") == "ssh")
        // Flapping is suspicion: never quarantine, never health.
        #expect(states("x.x.x.x.") == "ssssssss")
        #expect(states("xxx") == "ssq" && states("xx.xx.") == "ssssss")
        #expect(states("xxx..") == "ssqqp" && states("xxx.x..") == "ssqqqqp")
        #expect(states("xxx.....") == "ssqqppph" && states("xxx....x") == "ssqqpppq")
        #expect(states("xxx.....x") == "ssqqppphs")
    }

    @Test func aNodeIsAsItsWorstDevice() {
        #expect(NodeHealth([.healthy, .quarantined, .suspect]) == .quarantined)
        #expect(NodeHealth([.probation, .healthy]) == .probation && NodeHealth([.suspect, .probation]) == .suspect)
        #expect(NodeHealth([]) == .healthy)
    }

    @Test func statesSurviveARestart() throws {
        var health = DeviceHealth()
        for _ in 0..<2 { _ = health.observe("broken") }
        var read = try JSONDecoder().decode(DeviceHealth.self, from: JSONEncoder().encode(health))
        #expect(read == health && read.observe("broken again") && read.state == .quarantined)
        #expect(read.evidence == "broken again")
    }
}
