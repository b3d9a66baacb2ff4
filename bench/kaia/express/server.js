"use strict";
// GET /api/v1/events as an experienced Node developer would write it: one process, prepared statement, pooled connections, one
// round trip to Redis for all three limits (a script by its hash), a token checked with its algorithm pinned, nothing logged.
process.env.NODE_ENV = "production";
const fs = require("node:fs");
const express = require("express");
const Redis = require("ioredis");
const jwt = require("jsonwebtoken");
const { Pool } = require("pg");

const pool = new Pool({ connectionString: process.env.DATABASE_URL, max: 10 });
const redis = new Redis(process.env.REDIS_URL, { enableAutoPipelining: true });
redis.defineCommand("take", { lua: fs.readFileSync(process.env.TAKE_LUA, "utf8") });

const secret = process.env.JWT_SECRET;
const check = {
  algorithms: ["HS256"],
  issuer: process.env.TOKEN_ISSUER,
  audience: process.env.TOKEN_AUDIENCE,
  clockTolerance: 10,
};
// Steps and depths in microseconds, as the backend counts: 60000000/m for everybody, for a caller and for a route.
const step = 1, depth = 60000000;
const route = "GET /api/v1/events";

const list = {
  name: "events",
  text: `(SELECT id, title, description, location, start_time, end_time, time_zone, recurrence, reminder_minutes, created_at, updated_at
          FROM events WHERE user_id = $1 AND recurrence IS NULL AND (start_time, id) > ($2, $3) AND start_time < $4
            AND (end_time > $5 OR start_time >= $5) ORDER BY start_time, id LIMIT $6)
         UNION ALL
         (SELECT id, title, description, location, start_time, end_time, time_zone, recurrence, reminder_minutes, created_at, updated_at
          FROM events WHERE user_id = $1 AND recurrence IS NOT NULL AND start_time < $4
            AND (recurs_until IS NULL OR recurs_until >= $5) ORDER BY id LIMIT 500)`,
};
const sessions = new Map();

async function lives(session, user) {
  const known = sessions.get(session);
  if (known && known.user === user && Date.now() - known.at < 5000) return true;
  const found = await pool.query({
    name: "session",
    text: "SELECT 1 FROM sessions WHERE id = $1 AND user_id = $2 AND ended_at IS NULL",
    values: [session, user],
  });
  if (found.rowCount) sessions.set(session, { user, at: Date.now() });
  return found.rowCount > 0;
}

const app = express();
app.disable("x-powered-by");
app.disable("etag");

app.get("/api/v1/events", async (request, response) => {
  const [scheme, token] = (request.headers.authorization ?? "").split(" ");
  let claims;
  try {
    if (scheme !== "Bearer") throw new Error("no token");
    claims = jwt.verify(token, secret, check);
  } catch {
    return response.status(401).json({ type: "unauthorized", status: 401 });
  }
  const user = claims.sub;
  const taken = await redis.take(3, "limit:all", `limit:user:${user}`, `limit:user:${user}:${route}`,
    step, depth, step, depth, step, depth);
  if (taken[0] > 0) {
    return response.status(429).set("Retry-After", "1").json({ type: "too-many-requests", status: 429 });
  }
  if (!(await lives(claims.sid, user))) return response.status(401).json({ type: "unauthorized", status: 401 });
  const limit = Math.min(Number(request.query.limit ?? 20), 100);
  const from = new Date(0);
  const values = [user, new Date(-366 * 86400000), "-9223372036854775808", new Date(Date.now() + 366 * 86400000), from, limit + 1];
  const { rows } = await pool.query({ ...list, values });
  const more = rows.length > limit;
  if (more) rows.pop();
  const items = rows.map((row) => ({ ...row, id: Number(row.id), occurrence: null }));
  const last = items.at(-1);
  response.set({
    "RateLimit-Limit": depth / step,
    "RateLimit-Remaining": Math.floor((depth - taken[1]) / step),
    "RateLimit-Reset": Math.ceil(taken[1] / 1e6),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
  });
  response.json({
    items,
    next_cursor: more ? Buffer.from(`${+last.start_time}:${last.id}`).toString("base64url") : null,
  });
});

app.listen(Number(process.env.PORT), "127.0.0.1");
