import ArgumentParser
import HearthFleet

struct Drain: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Have a node take no new jobs until hearth resume; what runs there runs on.")

    @Argument(help: "The node.") var node: String
    @Option(help: "Why, for those who ask.") var reason = "by an operator"
    @OptionGroup var options: CoordinatorOptions

    func run() async throws {
        try await options.client().send("POST", "/v1/drains/\(node)", OperatorReason(reason: reason))
        Terminal.out("\(node) takes no new jobs")
    }
}

struct Lost: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract:
            "Say that a node is lost: what it was given is given to others, and what it still does counts no more.")

    @Argument(help: "The node.") var node: String
    @OptionGroup var options: CoordinatorOptions

    func run() async throws {
        let jobs = try await options.client().post("/v1/losses/\(node)", [String: String](), as: [String].self)
        Terminal.out(jobs.isEmpty ? "\(node) had nothing" : "queued again: \(jobs.joined(separator: ", "))")
    }
}

struct Bar: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract:
            "Have nothing count that comes as a node, until it joins anew with another token: its key is not trusted.")

    @Argument(help: "The node.") var node: String
    @Option(help: "Why, for those who ask.") var reason = "by an operator"
    @OptionGroup var options: CoordinatorOptions

    func run() async throws {
        let jobs = try await options.client().post(
            "/v1/bars/\(node)", OperatorReason(reason: reason), as: [String].self)
        Terminal.out("\(node) is barred" + (jobs.isEmpty ? "" : "; queued again: \(jobs.joined(separator: ", "))"))
    }
}

struct Unbar: AsyncParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Have a barred node count again, with the key it had.")

    @Argument(help: "The node.") var node: String
    @OptionGroup var options: CoordinatorOptions

    func run() async throws {
        try await options.client().send("DELETE", "/v1/bars/\(node)")
        Terminal.out("\(node) is not barred")
    }
}

struct Resume: AsyncParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Have a drained node take jobs again.")

    @Argument(help: "The node.") var node: String
    @OptionGroup var options: CoordinatorOptions

    func run() async throws {
        try await options.client().send("DELETE", "/v1/drains/\(node)")
        Terminal.out("\(node) takes jobs")
    }
}
