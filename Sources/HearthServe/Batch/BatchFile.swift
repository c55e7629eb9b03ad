import Foundation
import HearthFormats

/// Lines of a JSON Lines file, blank ones left out, by their number from 1.
struct BatchInput: Sequence, Sendable {
    private let file: MappedFile

    /// - Throws: `FormatError` for a file that cannot be read.
    init(path: String) throws { file = try MappedFile(path: path) }

    func makeIterator() -> AnyIterator<(number: Int, bytes: UnsafeRawBufferPointer)> {
        var (at, number) = (0, 0)
        return AnyIterator { [file] in
            while at < file.bytes.count {
                let rest = UnsafeRawBufferPointer(rebasing: file.bytes[at...])
                let end = rest.firstIndex(of: UInt8(ascii: "\n")) ?? rest.count
                let line = UnsafeRawBufferPointer(rebasing: rest[..<end])
                at += end + 1
                number += 1
                if !line.allSatisfy({ $0 <= 0x20 }) { return (number, line) }
            }
            return nil
        }
    }
}

/// The answers, appended line by line, each on the disk before the next. A second writer is refused.
final class BatchOutput {
    private let path: String
    private let descriptor: Int32
    /// What whole lines of an earlier run say of whose they are.
    let ids: [String]
    /// Where a line begins that an earlier run did not finish; it is cut off when the rest is known to be of this batch.
    private var unfinished: off_t?

    private struct Line: Decodable {
        let id: String
        enum CodingKeys: String, CodingKey { case id = "custom_id" }
    }

    /// Opens or makes the file.
    ///
    /// - Throws: `FormatError` for a file that cannot be written, that another process holds, or that holds something else.
    init(path: String) throws(FormatError) {
        self.path = path
        func problem(_ what: String) -> FormatError { FormatError(file: path, what) }
        descriptor = open(path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw problem(String(cString: strerror(errno))) }
        guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
            close(descriptor)
            throw problem("another job is writing it")
        }
        let handle = FileHandle(fileDescriptor: descriptor, closeOnDealloc: false)
        guard let data = try? handle.readToEnd() ?? Data() else {
            close(descriptor)
            throw problem("cannot be read")
        }
        let whole = data.lastIndex(of: UInt8(ascii: "\n")).map { $0 + 1 } ?? 0
        // What can be cut off is the beginning of an answer, not somebody's last line.
        let tail = data[whole...]
        let beginning = Data(#"{"custom_id":""#.utf8)
        guard tail.starts(with: beginning) || beginning.starts(with: tail) else {
            close(descriptor)
            throw problem("its last line is no answer of a batch: the file is something else")
        }
        var ids: [String] = []
        for (index, line) in data[..<whole].split(separator: UInt8(ascii: "\n")).enumerated() {
            guard let line = try? JSONDecoder().decode(Line.self, from: line) else {
                close(descriptor)
                throw problem("line \(index + 1) is no answer of a batch: the file is something else")
            }
            ids.append(line.id)
        }
        self.ids = ids
        if whole < data.count { unfinished = off_t(whole) }
    }

    deinit { close(descriptor) }

    /// Cuts off what an earlier run did not finish. Called when what is there is known to belong to this batch.
    func cutUnfinished() throws(FormatError) {
        guard let end = unfinished else { return }
        guard ftruncate(descriptor, end) == 0 else { throw FormatError(file: path, String(cString: strerror(errno))) }
        unfinished = nil
    }

    func append(_ line: Data) throws(FormatError) {
        try cutUnfinished()
        var rest = line[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { write(descriptor, $0.baseAddress, $0.count) }
            if count < 0, errno != EINTR { throw FormatError(file: path, String(cString: strerror(errno))) }
            rest = rest.dropFirst(Swift.max(count, 0))
        }
        guard fdatasync(descriptor) == 0 else { throw FormatError(file: path, String(cString: strerror(errno))) }
    }
}
