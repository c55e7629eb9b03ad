import Foundation

/// Output for people: results on standard output, progress and errors on standard error.
enum Terminal {
    static let errorIsTerminal = isatty(2) == 1

    static func error(_ text: String) { write(text + "\n", to: 2) }

    static func out(_ text: String, terminator: String = "\n") { write(text + terminator, to: 1) }

    /// A reader that has gone (`| head`) ends the program quietly, as it does other programs. Output that cannot be
    /// stored is a failure; messages that nobody can read are not.
    private static func write(_ text: String, to descriptor: Int32) {
        var bytes = Array(text.utf8)[...]
        while !bytes.isEmpty {
            let count = bytes.withUnsafeBytes { Foundation.write(descriptor, $0.baseAddress, $0.count) }
            if count >= 0 {
                bytes = bytes.dropFirst(count)
            } else if errno != EINTR && errno != EAGAIN {
                if descriptor != 1 { return }
                if errno == EPIPE { exit(128 + SIGPIPE) }
                error("hearth: standard output cannot be written: \(String(cString: strerror(errno)))")
                exit(ExitStatus.tryAgain.rawValue)
            }
        }
    }

    /// One line that is rewritten on a terminal, and a plain line elsewhere when the text is new.
    static func progress(_ text: String) {
        write(errorIsTerminal ? "\r\u{1b}[2K\(text)" : text + "\n", to: 2)
    }

    static func endProgress() { if errorIsTerminal { write("\r\u{1b}[2K", to: 2) } }

    static func json(_ value: some Encodable) throws {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        out(String(decoding: try encoder.encode(value), as: UTF8.self))
    }
}

/// Rows under headings, columns as wide as their widest cell.
struct TextTable {
    private var rows: [[String]]

    init(_ headings: String...) { rows = [headings] }
    init(cells: [String]) { rows = [cells] }

    mutating func add(_ cells: String...) { rows.append(cells) }
    mutating func add(cells: [String]) { rows.append(cells) }

    var text: String {
        let widths = rows[0].indices.map { column in rows.map { $0[column].count }.max() ?? 0 }
        return rows.map { row in
            var line = ""
            for (cell, width) in zip(row, widths) {
                line += cell.padding(toLength: width + 2, withPad: " ", startingAt: 0)
            }
            while line.last == " " { line.removeLast() }
            return line
        }.joined(separator: "\n")
    }
}

/// Figures as people read them: decimal prefixes, three digits.
enum Figure {
    static func gigabytesPerSecond(_ value: Double) -> String { String(format: "%.1f GB/s", value / 1e9) }
    static func gigaflopsPerSecond(_ value: Double) -> String { String(format: "%.1f GFLOP/s", value / 1e9) }
    static func share(_ value: Double?) -> String { value.map { String(format: "%.0f%%", $0 * 100) } ?? "-" }
    static func gibibytes(_ bytes: UInt64) -> String { String(format: "%.1f GiB", Double(bytes) / Double(1 << 30)) }

    static func seconds(_ value: Double) -> String {
        value < 1e-3
            ? String(format: "%.1f us", value * 1e6)
            : value < 1 ? String(format: "%.2f ms", value * 1e3) : String(format: "%.2f s", value)
    }
}
