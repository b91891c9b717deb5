/* The people who run a server. */
#include "migrated.h"

#include "model/user.h"

static struct arena *arena;
static struct error err;

static const struct id OWNER = {{1}}, OTHER = {{2}};

static struct db *ready(void **state)
{
    struct store *st = *state;
    if (!arena)
        arena = arena_create(0);
    err = (struct error){0};
    must(db_write(st->db, &err, "INSERT INTO users (id, first_name, created_at, updated_at) VALUES (?1, 'Owner', ?3, ?3), (?2, 'Other', ?3, ?3)",
                  OWNER, OTHER, (int64_t)1000), &err, "insert");
    return st->db;
}

static struct user found(struct db *db, struct id id)
{
    struct user u;
    must(user_find(db, arena, id, &u, &err), &err, "find");
    return u;
}

static void a_person_has_a_profile(void **state)
{
    struct db *db = ready(state);
    struct user u = found(db, OWNER);
    assert_true(id_eq(u.id, OWNER) && str_eqz(u.first_name, "Owner") && u.created_at == 1000);
    assert_true(!u.last_name.p && !u.email.p && !u.profile_picture.p && !u.show_onboarding && !u.has_password);

    must(user_update_profile(db, OWNER, STR("John"), STR("Doe"), STR("https://example.com/j.png"), 2000, &err), &err, "profile");
    must(user_update_profile(db, OWNER, STR("Jane"), STR("Doe"), STR_NULL, 3000, &err), &err, "profile");
    must(user_update_onboarding(db, OWNER, true, 3000, &err), &err, "onboarding");
    u = found(db, OWNER);
    assert_true(str_eqz(u.first_name, "Jane") && str_eqz(u.last_name, "Doe") && u.show_onboarding);
    assert_true(str_eqz(u.profile_picture, "https://example.com/j.png"));
    u = found(db, OTHER);
    assert_true(str_eqz(u.first_name, "Other") && !u.last_name.p && !u.profile_picture.p && !u.show_onboarding);

    must(user_update_onboarding(db, OWNER, false, 4000, &err), &err, "onboarding");
    must(db_write(db, &err, "UPDATE users SET password_hash = 'x', email = 'o@example.com' WHERE id = ?1", OWNER), &err, "password");
    u = found(db, OWNER);
    assert_true(!u.show_onboarding && u.has_password && str_eqz(u.email, "o@example.com"));
}

static void nobody_is_not_found(void **state)
{
    struct db *db = ready(state);
    struct user u;
    assert_false(user_find(db, arena, (struct id){{9}}, &u, &err));
    assert_int_equal(err.code, ERROR_NOT_FOUND);
    assert_string_equal(err.message, "User not found");
}

int main(void)
{
    const struct CMUnitTest tests[] = {BOTH(a_person_has_a_profile), BOTH(nobody_is_not_found)};
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    arena_destroy(arena);
    return failed;
}
