import ArgumentParser
import Foundation
import HearthAgent
import HearthCoordinator
import HearthFleet
import HearthIdentity

struct Invite: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Make a token with which one machine joins as a node, once.")

    @Argument(help: "The node's name.") var node: String
    @Option(help: "Seconds until the token expires.") var valid = 3600.0
    @OptionGroup var options: CoordinatorOptions

    func run() async throws {
        let invitation = try await options.client().post(
            "/v1/invitations", InvitationRequest(node: node, validSeconds: valid), as: Invitation.self)
        Terminal.out(invitation.token)
    }
}

struct Join: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Make this machine a node: give its agent a key and a certificate.",
        discussion: "The token comes from hearth invite. Run it as the agent's user, while the agent does not run.")

    @Argument(help: "The token, or - to read it from standard input.") var token: String
    @Option(help: "Coordinator's address, https://HOST:PORT.") var coordinator: String
    @Option(help: "The agent's state folder.") var state = AgentConfig().state

    func run() async throws {
        guard let token = JoinToken(token == "-" ? readLine() ?? "" : token) else {
            throw CommandFailure(.badInput, "the token is not one of hearth invite (hearth-join-...)")
        }
        let identity = try await Joining.join(token, coordinator: coordinator, folder: state)
        Terminal.out("this machine is \(identity)")
    }
}

struct UserCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "user", abstract: "Add a user of the coordinator; prints the user's token, once.")

    @Argument(help: "The user's name.") var name: String
    @Argument(help: "auditor, submitter or operator.") var role: String
    @Option(help: "The coordinator's file of users, read at its start.") var file = "/etc/hearth/users"

    func run() throws {
        let (line, token) = try UserFile.line(name: name, role: role)
        try UserFile.append(line, to: file)
        Terminal.out(token)
    }
}
