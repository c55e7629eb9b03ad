import Foundation

/// A file's bytes in memory without a copy, read-only, for as long as this object lives.
///
/// `@unchecked Sendable`: nothing changes after `init`, and nobody writes the pages.
public final class MappedFile: @unchecked Sendable {
    public let path: String
    public let bytes: UnsafeRawBufferPointer

    /// - Throws: `FormatError` when the file is missing, unreadable, a folder or empty.
    public init(path: String) throws {
        self.path = path
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw FormatError(file: path, String(cString: strerror(errno))) }
        defer { close(descriptor) }
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { throw FormatError(file: path, String(cString: strerror(errno))) }
        guard status.st_mode & S_IFMT == S_IFREG else { throw FormatError(file: path, "not a regular file") }
        guard status.st_size > 0 else { throw FormatError(file: path, byteOffset: 0, "the file is empty") }
        let count = Int(status.st_size)
        guard let start = mmap(nil, count, PROT_READ, MAP_PRIVATE, descriptor, 0), start != MAP_FAILED else {
            throw FormatError(file: path, "cannot be mapped: \(String(cString: strerror(errno)))")
        }
        bytes = UnsafeRawBufferPointer(start: start, count: count)
    }

    /// Lets go of the memory behind whole pages of `part`, which stay readable: the next touch fetches them again. What is not
    /// of this file, a copy for instance, stays as it is.
    public func release(_ part: UnsafeRawBufferPointer) {
        let page = Int(sysconf(Int32(_SC_PAGESIZE)))
        guard let base = part.baseAddress, let own = bytes.baseAddress else { return }
        guard base >= own, base + part.count <= own + bytes.count else { return }
        let start = (Int(bitPattern: base) + page - 1) / page * page
        let end = (Int(bitPattern: base) + part.count) / page * page
        if end > start { madvise(UnsafeMutableRawPointer(bitPattern: start), end - start, MADV_DONTNEED) }
    }

    deinit { munmap(UnsafeMutableRawPointer(mutating: bytes.baseAddress), bytes.count) }
}
