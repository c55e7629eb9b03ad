import Foundation
import GRDB
import HearthFleet
import HearthRoofline
import HearthStore

/// What pages show besides nodes and jobs.
extension CoordinatorStore {
    /// What the newest jobs of `node` took on its devices, each kernel's last.
    func kernelTimes(of node: String, limit: Int = 200) async throws -> [(device: String, time: KernelTime)] {
        try await database.read { db in
            try Row.fetchAll(
                db, sql: "SELECT device, body FROM kernel_times WHERE node = ? ORDER BY id DESC LIMIT ?",
                arguments: [node, limit]
            ).map { ($0["device"], try JSONColumn.decode(KernelTime.self, $0["body"])) }
        }
    }

    func leafNumbers(of job: String) async throws -> [Int] {
        try await database.read {
            try Int.fetchAll($0, sql: "SELECT number FROM ledger WHERE job = ? ORDER BY number", arguments: [job])
        }
    }

    /// The newest first.
    func newestLeaves(limit: Int) async throws -> [(index: Int, job: String, leaf: String)] {
        try await database.read { db in
            try Row.fetchAll(
                db, sql: "SELECT number, job, leaf FROM ledger ORDER BY number DESC LIMIT ?", arguments: [limit]
            ).map { ($0["number"], $0["job"], String(decoding: $0["leaf"] as Data, as: UTF8.self)) }
        }
    }

    /// Another whenever a page could look otherwise: steps of jobs, and what nodes reported of themselves.
    func changeMark() async throws -> [Int64] {
        try await database.read { db in
            try [
                "SELECT IFNULL(MAX(number), -1) FROM ledger", "SELECT COUNT(*) FROM jobs WHERE state = 'running'",
                "SELECT COUNT(*) FROM ceilings",
                "SELECT IFNULL(SUM(LENGTH(health) + LENGTH(IFNULL(drained, ''))), 0) FROM nodes",
            ]
            .map { try Int64.fetchOne(db, sql: $0) ?? 0 }
        }
    }
}
