-- What clients keep of a person beside the name (rest-api.md §6.20).
ALTER TABLE users ADD COLUMN profile_picture TEXT;
ALTER TABLE users ADD COLUMN show_onboarding INTEGER NOT NULL DEFAULT 0;
