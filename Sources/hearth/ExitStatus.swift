import ArgumentParser
import Foundation
import HearthAgent
import HearthCompute
import HearthFleet
import HearthFormats
import HearthInference
import HearthLedger
import HearthServe

/// Exit codes (sysexits.h where it has one); docs/operations.md lists them for users.
enum ExitStatus: Int32 {
    case ok = 0
    case usage = 64
    case badInput = 65
    case deviceUnavailable = 69
    case software = 70
    case tryAgain = 75
    case refusedByPolicy = 77
    case badConfig = 78
    case timeout = 124

    /// The code for an error that reached the top.
    static func of(_ error: any Error) -> ExitStatus {
        switch error {
        case is FormatError, is GenerationError, is ChatTemplateError, is SignedNote.Problem: .badInput
        case let error as DeviceError:
            error.code == .timeout ? .timeout : error.code == .invalid ? .badInput : .deviceUnavailable
        case is ConfigError: .badConfig
        case is Admission.Refusal: .refusedByPolicy
        case is FileDigest.Problem: .badInput
        case is BatchRun.Interrupted: .tryAgain
        case let error as CoordinatorClient.Failure: Self.of(status: error.status)
        case let error as CommandFailure: error.status
        default: .software
        }
    }

    /// No answer, or one that may be different later: try again. Refused input: bad input.
    private static func of(status: Int?) -> ExitStatus {
        switch status {
        case 400, 404, 409, 413, 422: .badInput
        case 401: .badConfig
        case 403: .refusedByPolicy
        default: .tryAgain
        }
    }

    /// Prints what went wrong and ends the process. Usage errors and --help are the argument parser's.
    static func end(with error: any Error, of command: any ParsableCommand.Type) -> Never {
        let isOurs = of(error) != .software || error is CommandFailure
        if !isOurs { command.exit(withError: error) }
        Terminal.error("hearth: \(error)")
        exit(of(error).rawValue)
    }
}

/// A failure of a command that no library error describes.
struct CommandFailure: Error, CustomStringConvertible {
    let status: ExitStatus
    let description: String

    init(_ status: ExitStatus, _ description: String) {
        self.status = status
        self.description = description
    }
}
